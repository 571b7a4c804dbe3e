"""Turns the pages of an access log into page views to replay."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import islice
from zlib import crc32

from services.access_log.line import LogLine
from services.access_log.page_filter import is_page, path_of
from services.traffic.sender import PageView


def page_views(
    lines: Iterable[LogLine], *, host: str, speed: float = 0.0, limit: int | None = None
) -> Iterator[PageView]:
    """Yield the page views of a log, in its order, at most `limit` of them.

    They are paced at `speed` times the log's own pace; 0 is as fast as possible. A line that is
    older than one before it, because servers log a request when it ends, is sent at once.
    """
    first: int | None = None
    for line in islice((line for line in lines if is_page(line)), limit):
        if first is None:
            first = line.at
        yield PageView(
            after=max(0, line.at - first) / 1000 / speed if speed else 0.0,
            url=f"https://{host}{path_of(line.target)}",
            referrer=line.referrer,
            user_agent=line.user_agent,
            address=_address(line.address),
        )


def _address(logged: str) -> str:
    """Return the logged address; a host name always maps to the same private address."""
    try:
        return str(ip_address(logged))
    except ValueError:
        return str(ip_address(0x0A000000 | crc32(logged.encode()) & 0xFFFFFF))
