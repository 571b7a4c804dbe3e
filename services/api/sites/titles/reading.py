"""Reads the titles of a portal: its sitemaps, and then the most read pages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from services.api.sites.titles.named_pages import MOST_PAGES, NamedPages
from services.api.sites.titles.page_title import MAX_BYTES as PAGE_BYTES
from services.api.sites.titles.page_title import title_of
from services.api.sites.titles.robots import Robots
from services.api.sites.titles.sitemap import MAX_BYTES as SITEMAP_BYTES
from services.api.sites.titles.sitemap import SitemapEntry, SitemapError, SitemapReader
from services.http.errors import shown
from services.http.fetcher import FetchedPage, Fetcher, FetchError
from services.store.records.title_runs import TitleRun
from services.store.records.titles import PageTitle

MOST_SITEMAPS = 200
SITEMAPS_DEEP = 2
"""Levels of sitemaps below the first: those in an index, and in an index in that."""
SITEMAP_SECONDS = 120.0
PAUSE_SECONDS = 1.0
"""The pause between two requests, unless the portal asks for a longer one."""
MOST_FAILURES = 10
"""After this many failed pages in a row, the portal is left alone."""
_MOST_HOSTS = 5
_MOST_VALIDATOR = 200
"""The most characters of an ETag or date that are remembered."""

Progress = Callable[[TitleRun], Awaitable[None]]
Validators = dict[str, tuple[str, str]]


class PortalReading:
    """One reading of a portal. `run` has its progress."""

    def __init__(
        self,
        pages: NamedPages,
        run: TitleRun,
        fetcher: Fetcher,
        progress: Progress,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        """Prepare it.

        run       the new one, with the validators of the previous one
        progress  is called at every step
        pause     seconds between two requests
        """
        self.run = run
        self._pages = pages
        self._fetcher = fetcher
        self._robots = Robots(fetcher)
        self._progress = progress
        self._pause = pause
        self._asked_at = float("-inf")
        self._validators = _decoded(run.validators)
        self._still: Validators = {}
        self._failed: list[PageTitle] = []

    async def read(self, hosts: Iterable[str], sitemap: str, most: int) -> None:
        """Read sitemaps and pages. Raises FetchError if nothing can be read, and StoreError.

        hosts    of the site, whose sitemaps may be fetched
        sitemap  the URL of the one to read, '' for those that the hosts name
        most     pages to fetch for their titles
        """
        await self._pages.load()
        try:
            await self._read_sitemaps([sitemap] if sitemap else await self._own(hosts))
            for row in await self._pages.to_ask(most):
                await self._ask(row)
                await self._pages.save()
            self._answered()
        finally:
            await self._pages.save(least=1)
            self._count()

    async def _own(self, hosts: Iterable[str]) -> list[str]:
        """Return the sitemaps that hosts name, or their usual locations."""
        sitemaps: list[str] = []
        problem = "the site names no host that can be asked for its sitemap"
        for host in [one for one in hosts if "*" not in one][:_MOST_HOSTS]:
            for scheme in ("https", "http"):
                home = f"{scheme}://{host}/"
                if said := await self._robots.problem(home):
                    problem = said
                    continue
                sitemaps += await self._robots.sitemaps(home) or [f"{home}sitemap.xml"]
                break
        if not sitemaps:
            raise FetchError(problem)
        return sitemaps

    async def _read_sitemaps(self, first: Iterable[str]) -> None:
        waiting = [(url, 0) for url in first]
        seen: set[str] = set()
        while waiting and len(seen) < MOST_SITEMAPS:
            url, depth = waiting.pop(0)
            if url in seen:
                continue
            seen.add(url)
            try:
                below = await self._read_sitemap(url)
            except SitemapError as error:
                await self._tell(problem=f"{shown(url)} is no sitemap: {error}")
            except FetchError as error:
                await self._tell(problem=str(error))
            else:
                await self._tell(sitemaps=self.run.sitemaps + 1)
                if depth < SITEMAPS_DEEP:
                    # Portals with a sitemap per month list the newest last.
                    waiting += [(one, depth + 1) for one in reversed(below)]
        await self._pages.save(least=1)
        if not self.run.sitemaps:
            raise FetchError(self.run.problem)
        validators = msgspec.json.encode(self._still).decode()
        await self._tell(validators=validators)

    async def _read_sitemap(self, url: str) -> list[str]:
        """Read a sitemap, and return the sitemaps that it names."""
        await self._turn(url)
        known = self._validators.get(url)
        below: list[str] = []
        has_room = True
        async with self._fetcher.fetching(url, _conditions(known), SITEMAP_SECONDS) as answer:
            if answer.status == HTTPStatus.NOT_MODIFIED:
                self._still[url] = known or ("", "")
                return []
            reader = SitemapReader()
            async for piece in answer.pieces(SITEMAP_BYTES):
                has_room &= self._take(reader.feed(piece), below)
                await self._pages.save(least=1000)
            has_room &= self._take(reader.end(), below)
            if has_room and not below:
                # If it names others, those must be fetched in any case.
                self._still[url] = _validators(answer)
        if not has_room:
            await self._tell(problem=f"more than {MOST_PAGES} pages; further ones are left out")
        return below

    def _take(self, entries: Iterable[SitemapEntry], below: list[str]) -> bool:
        """Take what a sitemap names; tell whether there was room for all of its pages."""
        has_room = True
        for entry in entries:
            if not entry.is_sitemap:
                has_room &= self._pages.name(entry)
            elif len(below) < MOST_SITEMAPS:
                below.append(entry.url)
        return has_room

    async def _ask(self, row: PageTitle) -> None:
        """Fetch a page for its title. Raises FetchError when the portal is to be left alone."""
        said: dict[str, str] = {}
        try:
            if problem := await self._robots.problem(row.url):
                raise FetchError(problem)
            if not await self._robots.allows(row.url):
                self._pages.asked(row)
                return
            await self._turn(row.url)
            known = (row.etag, row.modified) if row.title else None
            async with self._fetcher.fetching(row.url, _conditions(known)) as answer:
                if answer.status == HTTPStatus.OK:
                    said = await self._said(row, answer)
        except FetchError as error:
            self._failed.append(row)
            await self._tell(asked=self.run.asked + 1, problem=str(error))
            if len(self._failed) >= MOST_FAILURES:
                raise
            return
        self._answered()
        self._pages.asked(row, **said)
        await self._tell(asked=self.run.asked + 1)

    def _answered(self) -> None:
        """Note that the portal answers: pages that failed count as fetched even so.

        If it does not answer at all, the next reading fetches them again.
        """
        for row in self._failed:
            self._pages.asked(row)
        self._failed.clear()

    async def _said(self, row: PageTitle, answer: FetchedPage) -> dict[str, str]:
        """Return what a page says about itself."""
        # Portals redirect requests for a page that is gone to their home page.
        if self._pages.path_of(answer.url) != row.path:
            return {}
        kind = answer.header("content-type")
        if "html" not in kind.lower():
            return {}
        body = await answer.start_of(PAGE_BYTES)
        title = await asyncio.to_thread(title_of, body, kind)
        etag, modified = _validators(answer)
        return {"title": title or row.title, "etag": etag, "modified": modified}

    async def _tell(self, **more: Any) -> None:
        self.run = self.run._replace(**more)
        self._count()
        await self._progress(self.run)

    def _count(self) -> None:
        self.run = self.run._replace(named=self._pages.named, found=self._pages.found)

    async def _turn(self, url: str) -> None:
        """Wait until the next request to the portal is allowed."""
        loop = asyncio.get_running_loop()
        ready = self._asked_at + self._robots.pause(url, self._pause)
        await asyncio.sleep(max(0.0, ready - loop.time()))
        self._asked_at = loop.time()


def _conditions(known: tuple[str, str] | None) -> Mapping[str, str]:
    """Return the headers for a conditional request, answered in full only if it has changed."""
    etag, modified = known or ("", "")
    names = {"If-None-Match": etag, "If-Modified-Since": modified}
    return {name: value for name, value in names.items() if value}


def _validators(answer: FetchedPage) -> tuple[str, str]:
    etag, modified = answer.header("etag"), answer.header("last-modified")
    return etag if len(etag) <= _MOST_VALIDATOR else "", modified[:_MOST_VALIDATOR]


def _decoded(validators: str) -> Validators:
    try:
        return msgspec.json.decode(validators or "{}", type=Validators)
    except msgspec.MsgspecError:
        return {}
