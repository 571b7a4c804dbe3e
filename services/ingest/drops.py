"""Why a hit was not counted."""

from enum import StrEnum


class DropReason(StrEnum):
    """The value is what the header X-Luot-Dropped and the label `reason` say."""

    NOT_A_PAGEVIEW = "not_a_pageview"
    """An event of another name than `pageview`, `404`, `File Download`, `Outbound Link: Click`."""
    NOT_A_DOWNLOAD = "not_a_download"
    """A file of another host than the site's, or of an ending whose downloads it does not count."""
    NOT_OUTBOUND = "not_outbound"
    """A link to a host of the site itself, or to no page."""
    UNKNOWN_SITE = "unknown_site"
    FOREIGN_HOST = "foreign_host"
    """The page, or the page that the browser says sent it, is on none of the site's hosts."""
    EXCLUDED = "excluded"
    """A page that the site says is never counted."""
    PREFETCH = "prefetch"
    """Fetched or rendered by the browser before anybody saw it."""
    SAME_PAGE = "same_page"
    """An application changed the query of its address, but no parameter that names a page."""
    BOT = "bot"
    """Kept in the log, tagged, and never counted; of too many, only a count is kept."""
    RATE = "rate"
    """More hits than any reader could send, more of one address than of any gateway, or more of one
    site than its part of a log that is nearly full."""
    UNREADABLE = "unreadable"
    """An image request without page or site; an unreadable event gets the errors as JSON."""
