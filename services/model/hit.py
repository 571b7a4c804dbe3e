"""A hit: one page view as it was received, an immutable event in the log."""

from enum import IntEnum

import msgspec

VISIT_WINDOW_MS = 30 * 60 * 1000
"""A visitor who is idle for this long starts a new visit with the next view."""

OTHER_PATH = "(other)"
"""Stands for paths without their own counters: new ones beyond the limits of a day."""

UNKNOWN_PATH = "(unknown)"
"""Stands for the path of a page that the browser did not name."""


class Visit(IntEnum):
    """Who decided whether a hit starts a visit, and how."""

    UNDECIDED = 0
    """The fold decides, from the visitors it has seen; without a visitor, none starts."""
    STARTS = 1
    CONTINUES = 2


class Hit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One page view.

    at      milliseconds since 1970, UTC, when ingest received it
    day     the site's own calendar day of `at`, in days since 1970-01-01
    visitor salted 64-bit hash, meaningless after the site's midnight; 0 if there is none
    bot     tagged, kept in the log, never counted
    source  host name the visitor came from, '' when unknown or the site itself
    country ISO 3166-1 alpha-2, '' when unknown
    region  the province: its code in ISO 3166-2, or else the country, a hyphen and a name; '' when
            unknown
    view_id random number of the view, the same if its request is repeated; 0 if there is none
    own_path  for a hit that counts under OTHER_PATH, the path of the page itself; else ''
    utm_medium, utm_campaign, utm_content, utm_term, utm_source  parameters of the page's URL with
            these names; '' if absent
    """

    site: str
    path: str
    at: int
    day: int
    visitor: int = 0
    visit: Visit = Visit.UNDECIDED
    bot: bool = False
    host: str = ""
    source: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    view_id: int = 0
    own_path: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_content: str = ""
    utm_term: str = ""
    utm_source: str = ""
    region: str = ""
