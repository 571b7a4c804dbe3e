"""Which pages have enough readers for a public list.

One machine can make up any number of views of a page, under a path that spells out a message. So a
page needs some visitors. They are counted in raw hits, which takes a while on a large site; a page
that has enough is not checked again for ten minutes, one that has not for one minute.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b

from services.api.counter import queries_top
from services.model.page_aliases import PageAlias
from services.store.interface import Store

ENOUGH_SECONDS = 600.0
TOO_FEW_SECONDS = 60.0
REMEMBERED = 20_000
"""Pages, each a digest of 16 bytes: some 5 MB."""
PAGES_A_LOOK = 100
MAX_LOOKED_AT = 1_000
"""How many pages of a list are looked at: beyond these, pages have few readers anyway."""

_Views = tuple[str, int]


class PublicPages:
    """Chooses the pages of a public list."""

    def __init__(self, store: Store, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[bool, float]] = OrderedDict()

    async def chosen(
        self,
        sites: Sequence[str],
        days: tuple[int, int],
        pages: Sequence[_Views],
        min_visitors: int,
        most: int,
        aliases: Sequence[PageAlias] = (),
    ) -> tuple[list[_Views], int]:
        """Return the first pages with enough visitors, and how many were skipped with too few.

        Raises StoreError.
        """
        chosen: list[_Views] = []
        withheld = 0
        for begin in range(0, len(pages), PAGES_A_LOOK):
            part = pages[begin : begin + PAGES_A_LOOK]
            enough = await self._enough(sites, days, part, min_visitors, aliases)
            for page in part:
                if len(chosen) == most:
                    return chosen, withheld
                if page[0] in enough:
                    chosen.append(page)
                else:
                    withheld += 1
        return chosen, withheld

    async def _enough(
        self,
        sites: Sequence[str],
        days: tuple[int, int],
        pages: Sequence[_Views],
        min_visitors: int,
        aliases: Sequence[PageAlias],
    ) -> set[str]:
        now = self._monotonic()
        length = days[1] - days[0]
        # A page cannot have more visitors than views.
        views = {path: of_page for path, of_page in pages if of_page >= min_visitors}
        keys = {path: _key(" ".join(sites), length, min_visitors, path) for path in views}
        enough, requested = set(), []
        for path, key in keys.items():
            is_enough, until = self._known.get(key, (False, 0.0))
            if until <= now:
                requested.append(path)
            elif is_enough:
                enough.add(path)
        if requested:
            readers = await queries_top.readers(self._store, sites, days, requested, aliases)
            for path in requested:
                visitors, kept_views = readers.get(path, queries_top.PageReaders(0, 0))
                # Views whose raw hits are no longer kept cannot be checked; they are not held
                # against the page.
                is_enough = visitors + max(0, views[path] - kept_views) >= min_visitors
                self._remember(keys[path], is_enough, now)
                if is_enough:
                    enough.add(path)
        return enough

    def _remember(self, key: bytes, is_enough: bool, now: float) -> None:
        self._known[key] = (is_enough, now + (ENOUGH_SECONDS if is_enough else TOO_FEW_SECONDS))
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _key(site: str, days: int, min_visitors: int, path: str) -> bytes:
    text = f"{site} {days} {min_visitors} {path}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
