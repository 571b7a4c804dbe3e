"""What the robots.txt of a portal allows, and which sitemaps it names (RFC 9309)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

from services.http.fetcher import Fetcher, FetchError

AGENT = "Luot"
MAX_BYTES = 64 * 1024
MOST_SECONDS = 10.0
"""The longest pause that a portal may ask for."""


class _File(NamedTuple):
    rules: RobotFileParser
    problem: str


class Robots:
    """The robots.txt of the hosts of a site, each fetched once."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._known: dict[str, _File] = {}

    async def allows(self, url: str) -> bool:
        """Tell whether a page may be fetched; if its host does not answer, it may not."""
        file = await self._of(url)
        return not file.problem and file.rules.can_fetch(AGENT, url)

    async def sitemaps(self, url: str) -> list[str]:
        """Return the sitemaps that the host of a URL names."""
        return (await self._of(url)).rules.site_maps() or []

    async def problem(self, url: str) -> str:
        """Return why the host of a URL does not answer; '' if it does."""
        return (await self._of(url)).problem

    def pause(self, url: str, least: float) -> float:
        """Return the seconds between two requests to a host."""
        known = self._known.get(_origin(url))
        delay = known.rules.crawl_delay(AGENT) if known is not None else None
        return max(least, min(float(delay or 0), MOST_SECONDS))

    async def _of(self, url: str) -> _File:
        origin = _origin(url)
        if origin not in self._known:
            self._known[origin] = await self._read(f"{origin}/robots.txt")
        return self._known[origin]

    async def _read(self, url: str) -> _File:
        text, problem = "", ""
        try:
            async with self._fetcher.fetching(url) as answer:
                text = (await answer.start_of(MAX_BYTES)).decode("utf-8", "replace")
        except FetchError as error:
            # Without one, everything is allowed.
            if not HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                problem = str(error)
        return _File(_parsed(url, text.splitlines()), problem)


def _parsed(url: str, lines: Sequence[str]) -> RobotFileParser:
    """Read the lines of a file, leaving out those at which Python's parser gives up."""
    rules = RobotFileParser(url)
    try:
        rules.parse(lines)
    except ValueError:
        rules = RobotFileParser(url)
        rules.parse([line for line in lines if _is_readable(line)])
    return rules


def _is_readable(line: str) -> bool:
    try:
        RobotFileParser().parse([f"User-agent: {AGENT}", line])
    except ValueError:
        return False
    return True


def _origin(url: str) -> str:
    """Return scheme and host of a URL; '' for one that has none, which is never fetched."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
