"""What is counted apart from views: downloads, pages that were not found, searches, links outwards.

What a site has of one kind is kept as the views of another site are, under a name of its own, which
no slug can be: `mytho#downloads`. So it is counted exactly once as views are, and no number of the
site itself can hold any of it.
"""

from collections.abc import Collection
from enum import StrEnum

_MARK = "#"


class Apart(StrEnum):
    """A kind; the value stands in names, and is what measures and panels are called."""

    DOWNLOADS = "downloads"
    """Of files, by path."""
    NOT_FOUND = "not_found"
    """Views of addresses that lead nowhere, by path."""
    SEARCHES = "searches"
    """On the site, by the words."""
    OUTBOUND = "outbound_links"
    """Clicks on links to other hosts, by host and path."""


FREE = frozenset({Apart.NOT_FOUND, Apart.SEARCHES, Apart.OUTBOUND})
"""What anybody may invent: it is for those alone who are signed in to the site, and of new names
there are fewer a day."""


def name_of(site: str, kind: Apart) -> str:
    """Return the name under which a kind is kept of a site, which is given by its own."""
    return f"{site}{_MARK}{kind.value}"


def site_of(name: str) -> str:
    """Return the name of the site of which views, or something else, are kept under a name."""
    return name.partition(_MARK)[0]


def kind_of(name: str) -> Apart | None:
    """Return what is kept under a name; None for views."""
    kind = name.partition(_MARK)[2]
    return Apart(kind) if kind else None


def all_names(sites: Collection[str]) -> list[str]:
    """Return every name under which something is kept of sites, in order."""
    return sorted({*sites, *(name_of(site, kind) for site in sites for kind in Apart)})
