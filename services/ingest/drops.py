"""Why a hit was not counted."""

from enum import StrEnum


class DropReason(StrEnum):
    """The value is what the header X-Luot-Dropped and the label `reason` say."""

    NOT_A_PAGEVIEW = "not_a_pageview"
    """An event of another name than `pageview`."""
    UNKNOWN_SITE = "unknown_site"
    FOREIGN_HOST = "foreign_host"
    """The page, or the page that the browser says sent it, is on none of the site's hosts."""
    PREFETCH = "prefetch"
    """Fetched or rendered by the browser before anybody saw it."""
    BOT = "bot"
    """Kept in the log, tagged, and never counted; of too many, only a count is kept."""
    RATE = "rate"
    """More hits than any reader could send, or more of one address than of any gateway."""
    UNREADABLE = "unreadable"
    """An image request without page or site; an unreadable event gets the errors as JSON."""
