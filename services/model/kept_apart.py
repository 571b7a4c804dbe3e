"""What is counted separately from views: downloads, missing pages, searches, outbound links.

Each kind is stored like the views of another site, under a name of its own that cannot be a slug,
such as `mytho#downloads`. So it is counted exactly once, as views are, and no number of the site
itself can include any of it.
"""

from collections.abc import Collection
from enum import StrEnum

_MARK = "#"


class Apart(StrEnum):
    """A kind; the value stands in names, and is what measures and panels are called."""

    DOWNLOADS = "downloads"
    """Downloads of files, by path."""
    NOT_FOUND = "not_found"
    """Views of pages that do not exist, by path."""
    SEARCHES = "searches"
    """Searches on the site, by search terms."""
    OUTBOUND = "outbound_links"
    """Clicks on links to other hosts, by host and path."""


FREE = frozenset({Apart.NOT_FOUND, Apart.SEARCHES, Apart.OUTBOUND})
"""Kinds whose names anybody can invent: only users with access to the site see them, and fewer new
names are allowed per day."""


def name_of(site: str, kind: Apart) -> str:
    """Return the name under which a kind is kept, from the name that the site is kept under."""
    return f"{site}{_MARK}{kind.value}"


def site_of(name: str) -> str:
    """Return the name of the site to which a name belongs, whatever is kept under that."""
    return name.partition(_MARK)[0]


def kind_of(name: str) -> Apart | None:
    """Return the kind that is kept under a name; None for views."""
    kind = name.partition(_MARK)[2]
    return Apart(kind) if kind else None


def all_names(sites: Collection[str]) -> list[str]:
    """Return every name under which something of these sites is kept, in order."""
    return sorted({*sites, *(name_of(site, kind) for site in sites for kind in Apart)})
