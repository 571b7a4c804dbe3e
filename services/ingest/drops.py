"""Why a hit was not counted."""

from enum import StrEnum


class DropReason(StrEnum):
    """Its value appears in the header X-Luot-Dropped and the label `reason`."""

    NOT_A_PAGEVIEW = "not_a_pageview"
    """An event not named `pageview`, `404`, `File Download` or `Outbound Link: Click`."""
    NOT_A_DOWNLOAD = "not_a_download"
    """A file on another host than the site's, or with an extension that it does not count."""
    NOT_OUTBOUND = "not_outbound"
    """A link to one of the site's own hosts, or to something that is not a page."""
    UNKNOWN_SITE = "unknown_site"
    FOREIGN_HOST = "foreign_host"
    """The page, or the page that the browser says sent it, is on none of the site's hosts."""
    EXCLUDED = "excluded"
    """A page that the site says is never counted."""
    PREFETCH = "prefetch"
    """Fetched or rendered by the browser before anybody saw it."""
    SAME_PAGE = "same_page"
    """An application changed its query string, but no parameter that identifies a page."""
    BOT = "bot"
    """Logged with a tag and never counted; above the limits, only the number is kept."""
    RATE = "rate"
    """More hits than any reader could send, more from one address than any gateway would send, or
    more from one site than its share of a log that is nearly full."""
    UNREADABLE = "unreadable"
    """An image request without page or site; an unreadable event gets the errors as JSON."""
