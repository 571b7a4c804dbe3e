"""The known pages of a site and their titles, in memory while its portal is read."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from services.api.counter import queries_top
from services.api.sites.titles.page_title import tidy
from services.api.sites.titles.sitemap import SitemapEntry
from services.enrich.urls import read_page
from services.model.site import ANY_HOST, Site
from services.store.interface import Store
from services.store.records import titles
from services.store.records.titles import PageTitle

MOST_PAGES = 50_000
"""The most pages of a site that are known by name."""
PAGES_A_RUN = 500
"""The most pages fetched for their titles in one reading; the next one fetches others."""
KEPT_DAYS = 30
"""After this many days a page is fetched again."""
_LOOKED_AT = 5000
_ROWS_AT_ONCE = 1000
_SAVED_FROM = 50
_DAY_MS = 86_400_000


class NamedPages:
    """What is known about the pages of a site, and what is new.

    named  how many pages are new
    found  how many titles are new or changed
    """

    def __init__(self, store: Store, site: Site, clock: Callable[[], float] = time.time) -> None:
        self.named = 0
        self.found = 0
        self._store = store
        self._site = site
        self._clock = clock
        self._known: dict[str, PageTitle] = {}
        self._changed: dict[str, PageTitle] = {}
        self._stale: set[str] = set()

    async def load(self) -> None:
        """Read what is known. Raises StoreError."""
        rows = await titles.load(self._store, self._site.kept_as, MOST_PAGES)
        self._known = {row.path: row for row in rows}

    def path_of(self, url: str) -> str | None:
        """Return the path under which a page is counted; None if it is not one of the site's."""
        page = read_page(url)
        if page is None or not is_host_of(self._site, page.host):
            return None
        path = self._site.counted_path(page.path, page.query)
        return None if self._site.excludes(path) else path

    def name(self, entry: SitemapEntry) -> bool:
        """Take a page that a sitemap names; tell whether there was room for it."""
        path = self.path_of(entry.url)
        if path is None:
            return True
        known = self._known.get(path)
        if known is None:
            if len(self._known) >= MOST_PAGES:
                return False
            self.named += 1
        elif known.by_hand or known.gone:
            return True
        row = known or PageTitle(self._site.kept_as, path, 0, url=entry.url)
        if title := tidy(entry.title):
            # The sitemap gives its title, so the page is not fetched.
            row = row._replace(title=title, url="", read_at=row.read_at or self.now())
        elif row.read_at and row.read_at < _instant(entry.changed):
            self._stale.add(path)
        if row != known:
            self.keep(row)
        return True

    def keep(self, row: PageTitle) -> None:
        """Take what is now known about a page."""
        before = self._known.get(row.path)
        self.found += row.title not in ("", before.title if before else "")
        # A user may have written it meanwhile: that has a version above all of these.
        row = row._replace(version=max(self.now(), row.version + 1))
        self._known[row.path] = self._changed[row.path] = row

    def asked(self, row: PageTitle, **more: object) -> None:
        """Note that a page was just fetched, and what it said."""
        self._stale.discard(row.path)
        self.keep(row._replace(read_at=self.now(), **more))  # type: ignore[arg-type]

    async def to_ask(self, most: int) -> list[PageTitle]:
        """Return pages to fetch: new ones before those fetched long ago, the most read first.

        Raises StoreError.
        """
        now = self.now()
        old = now - KEPT_DAYS * _DAY_MS
        rows = [
            row
            for row in self._known.values()
            if row.url
            and not (row.by_hand or row.gone)
            and (row.read_at < old or row.path in self._stale)
        ]
        today = self._site.day_of(now)
        days = (today - KEPT_DAYS, today)
        top = await queries_top.top_pages(self._store, [self._site.kept_as], days, _LOOKED_AT)
        rank = {path: place for place, (path, _) in enumerate(top)}
        rows.sort(key=lambda row: (row.read_at != 0, rank.get(row.path, len(rank)), row.path))
        return rows[:most]

    async def save(self, *, least: int = _SAVED_FROM) -> None:
        """Write what is new, if there is at least `least` of it. Raises StoreError."""
        if len(self._changed) < least:
            return
        changed, self._changed = list(self._changed.values()), {}
        for first in range(0, len(changed), _ROWS_AT_ONCE):
            await titles.save(self._store, changed[first : first + _ROWS_AT_ONCE])

    def now(self) -> int:
        """Return the time in ms since 1970."""
        return int(self._clock() * 1000)


def is_host_of(site: Site, host: str) -> bool:
    """Tell whether a site names a host; the wildcard for any host does not name one."""
    if ANY_HOST not in site.hosts:
        return site.allows(host)
    named = tuple(one for one in site.hosts if one != ANY_HOST)
    return msgspec.structs.replace(site, hosts=named).allows(host)


def _instant(written: str) -> int:
    """Return a sitemap's time (W3C date and time) in ms since 1970; 0 if it is invalid."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return 0
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
