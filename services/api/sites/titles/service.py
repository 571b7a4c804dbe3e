"""The titles of pages: looked up where pages are shown, and written by users."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.sites.registry import Registry
from services.api.sites.titles import title_file
from services.api.sites.titles.given import page_of, title_of
from services.api.sites.titles.named_pages import MOST_PAGES, is_host_of
from services.api.sites.titles.title_file import TitleFile
from services.api.stats.rows.search import pattern_of
from services.enrich.urls import read_page
from services.http.errors import ApiError, Translatable, bad_request, shown, unavailable
from services.model.site import Site
from services.store.interface import Store, StoreError
from services.store.records import title_runs, titles
from services.store.records.title_runs import TitlePlan
from services.store.records.titles import BY_HAND, PageTitle, TitleCounts

ROWS_A_PAGE = 100

log = logging.getLogger(__name__)


class TitleList(NamedTuple):
    """Titles of a site, by path, and whether another page of them follows."""

    rows: list[PageTitle]
    has_more: bool


class Titles:
    """The titles of every site; every change by a user is in the audit log."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._registry = registry
        self._audit = audit
        self._clock = clock
        self._reading = asyncio.Lock()
        """Files are read one by one: each is held in memory."""

    async def of(self, site: Site, pages: Collection[str]) -> dict[str, str]:
        """Return the titles of those pages that have one; none while they cannot be read."""
        names = [part.kept_as for part in self._registry.parts(site)]
        try:
            return await titles.of_paths(self._store, names, sorted(pages))
        except StoreError as error:
            log.warning("titles of %s cannot be read: %s", site.slug, error)
            return {}

    async def listed(self, site: Site, search: str, page: int, limit: int) -> TitleList:
        """Return titles that contain the words, or whose path does. Raises ApiError, 503."""
        pattern = pattern_of(search) if search.strip() else ""
        skip = (page - 1) * limit
        try:
            rows = await titles.listed(self._store, site.kept_as, pattern, skip, limit + 1)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error
        return TitleList(rows[:limit], len(rows) > limit)

    async def counts(self, site: Site) -> TitleCounts:
        """Return how many pages are named. Raises ApiError, 503."""
        try:
            return await titles.counts(self._store, site.kept_as)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    async def write(self, who: Principal, site: Site, given: Sequence[tuple[str, str]]) -> int:
        """Write titles of pages, and return how many are new or changed.

        given  path or URL of a page, and its title

        Raises ApiError, 400 for what is no page of the site and for no title, 409 at 50,000 pages.
        """
        named = {page_of(site, page): title_of(title) for page, title in given}
        return await self.write_all(who, site, named)

    async def read_file(self, site: Site, content: bytes) -> TitleFile:
        """Return what a file says, one file at a time. Raises ApiError, 400."""
        async with self._reading:
            return await title_file.read(content, site)

    async def write_all(self, who: Principal, site: Site, named: Mapping[str, str]) -> int:
        """Write titles by path, all or none, and return how many are new or changed.

        Raises ApiError, 409 at 50,000 pages.
        """
        known = await self._some(site, named)
        changed = [
            self._by_hand(site, path, known.get(path), title)
            for path, title in named.items()
            if path not in known or known[path].gone or known[path].title != title
        ]
        if not changed:
            return 0
        fresh = sum(path not in known for path in named)
        if (await self.counts(site)).pages + fresh > MOST_PAGES:
            text = f"more than {MOST_PAGES} pages of {site.slug} would be named"
            message = Translatable(text, "titles.too_many", count=MOST_PAGES)
            raise ApiError(HTTPStatus.CONFLICT, {"titles": message})
        if len(changed) == 1:
            [one] = changed
            before = known.get(one.path)
            async with self._audit.recorded(
                who,
                "title.set",
                one.path,
                site=site.slug,
                before=None if before is None else {"title": before.title},
                after={"title": one.title},
            ):
                await self._save(changed)
        else:
            async with self._audit.recorded(
                who, "titles.import", site.slug, site=site.slug, after={"titles": len(changed)}
            ):
                await self._save(changed)
        return len(changed)

    async def remove(self, who: Principal, site: Site, page: str) -> None:
        """Remove the title of a page for good: reading the portal does not bring it back.

        Raises ApiError, 404 if it has none.
        """
        path = page_of(site, page)
        known = (await self._some(site, [path])).get(path)
        if known is None or known.gone or not known.title:
            message = Translatable(f"{shown(path)} has no title", "titles.none_of", path=path)
            raise ApiError(HTTPStatus.NOT_FOUND, {"path": message})
        gone = self._by_hand(site, path, known, "")._replace(gone=1)
        async with self._audit.recorded(
            who, "title.remove", path, site=site.slug, before={"title": known.title}
        ):
            await self._save([gone])

    async def plan(self, site: Site) -> TitlePlan:
        """Return where titles come from, and where they are shown. Raises ApiError, 503."""
        try:
            return await title_runs.plan(self._store, site.kept_as)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    async def change_plan(
        self,
        who: Principal,
        site: Site,
        *,
        sitemap: str | None = None,
        daily: bool | None = None,
        in_top: bool | None = None,
    ) -> TitlePlan:
        """Change the given fields of the plan. Raises ApiError, 400 for a sitemap elsewhere."""
        before = await self.plan(site)
        after = before._replace(
            sitemap=before.sitemap if sitemap is None else _sitemap(site, sitemap),
            daily=before.daily if daily is None else int(daily),
            in_top=before.in_top if in_top is None else int(in_top),
        )
        if after == before:
            return before
        after = after._replace(version=self._next(before.version), author=who.name)
        async with self._audit.recorded(
            who,
            "titles.plan",
            site.slug,
            site=site.slug,
            before=_fields(before),
            after=_fields(after),
        ):
            try:
                await title_runs.save_plan(self._store, after)
            except StoreError as error:
                raise unavailable(f"the store did not take the change: {error}") from error
        return after

    def _by_hand(self, site: Site, path: str, known: PageTitle | None, title: str) -> PageTitle:
        version = self._next(0 if known is None else known.version & (BY_HAND - 1)) | BY_HAND
        return PageTitle(site.kept_as, path, version, title=title, by_hand=1)

    def _next(self, version: int) -> int:
        return max(version + 1, int(self._clock() * 1000))

    async def _some(self, site: Site, pages: Collection[str]) -> dict[str, PageTitle]:
        try:
            return await titles.some(self._store, site.kept_as, sorted(pages))
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    async def _save(self, rows: Sequence[PageTitle]) -> None:
        try:
            await titles.save(self._store, rows)
        except StoreError as error:
            raise unavailable(f"the store did not take the change: {error}") from error


def _sitemap(site: Site, given: str) -> str:
    """Return the URL of a sitemap. Raises ApiError if it is not on a host of the site."""
    url = given.strip()
    address = read_page(url) if url else None
    if url and (address is None or not is_host_of(site, address.host)):
        message = (
            f"{shown(url)}; expected an address that begins with https:// and a host of the site"
        )
        raise bad_request("sitemap", message)
    return url


def _fields(plan: TitlePlan) -> dict[str, object]:
    return {"sitemap": plan.sitemap, "daily": plan.daily, "in_top": plan.in_top}
