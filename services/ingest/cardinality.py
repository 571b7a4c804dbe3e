"""Limits the cardinality of paths: how many new ones a site gets on a day, and from whom.

A path with a history, or one that was new yesterday, always counts under its own name. A new one is
opened within the budget of one address or by several addresses (new_paths.py), while the day has
room; part of the room is reserved for paths that several addresses have seen. All processes share
what is opened, 8 bytes a path: every second or two, each appends what it opened and reads what the
others did. In between, a process may open paths that the others do not know of; a few hundred too
many do no harm.
"""

from array import array
from bisect import insort
from collections import Counter
from enum import StrEnum
from itertools import islice

from services.ingest.networks import AddressHash
from services.ingest.new_paths import NewPaths
from services.ingest.path_memory import PathMemory
from services.model.kept_apart import FREE, kind_of
from services.model.path_digest import DIGEST_BYTES, holds, packed, path_digest, unpacked
from services.runtime.clock import DAY_MS, Clock
from services.state.daily_paths import Appended, DailyPaths, DayTail, SiteDay
from services.state.state import State

MOST_OPENED = 1_000_000
"""New paths that one process holds, of all sites and days: 8 MB, twice that while unshared."""
MOST_HOT = 65_536
"""Recently looked-up paths that are cached: about 6 MB. When full, the cache is cleared."""
FREE_PART = 10
"""What is not a page gets 1/FREE_PART of a site's new paths of a day."""
LOOK_MS = 30_000
"""How often a day is read when this process opened nothing in it."""


class WhyOther(StrEnum):
    """Why a view counts under `(other)`."""

    ADDRESS = "address"
    """Its address has opened all the new pages it may, and too few others have seen this one."""
    SITE = "site"
    """The day of the site has no room for more new pages."""


class _Day:
    """The new paths of one site's day.

    opened  their digests, sorted, whichever process opened them
    fresh   those of them that are not shared yet
    hot     this process's hashes of paths looked up lately, including known ones
    read    the byte offset up to which the shared day was read
    """

    __slots__ = ("fresh", "hot", "opened", "read")

    def __init__(self) -> None:
        self.opened = array("Q")
        self.fresh = array("Q")
        self.hot: set[int] = set()
        self.read = 0

    def take(self, tail: DayTail, limit: int) -> None:
        """Take over what others appended, up to a limit; share all again if Redis lost the day."""
        if tail.length < self.read:
            self.fresh = array("Q", self.opened)
            self.read = 0
            return
        digests = unpacked(tail.tail)
        self.read += len(digests) * DIGEST_BYTES
        more = {digest for digest in digests if not holds(self.opened, digest)}
        if more:
            room = max(0, limit - len(self.opened))
            self.opened = array("Q", sorted([*self.opened, *islice(more, room)]))


class CardinalityLimiter:
    """Admits paths: known ones always, new ones within limits."""

    def __init__(
        self, state: State, memory: PathMemory, new: NewPaths, limit: int, clock: Clock
    ) -> None:
        """Prepare; `limit` is the most new paths a site may have on a day.

        What anybody can make up and is not a page (search terms, say) gets a fraction of that.
        """
        self._shared = DailyPaths(state)
        self._memory = memory
        self._new = new
        self._limit = limit
        self._clock = clock
        self._days: dict[SiteDay, _Day] = {}
        self._loading: Counter[str] = Counter()
        """By site: how many of its days are being read; its history must not be forgotten."""
        self._opened = 0
        self._hot = 0
        self._looked = 0

    def is_open(self, site: str, day: int) -> bool:
        """Tell whether a day's paths are in memory."""
        return (site, day) in self._days

    async def load(self, site: str, day: int) -> None:
        """Read the paths of a day that this process has not seen yet. Raises StateError."""
        if self.is_open(site, day):
            return
        self._loading[site] += 1
        try:
            await self._memory.open(site)
            new = [key for key in ((site, day - 1), (site, day)) if key not in self._days]
            tails = await self._shared.exchange(dict.fromkeys(new, Appended(b"", 0)))
        finally:
            self._loading[site] -= 1
        # Another load may have opened one of them meanwhile.
        for key in new:
            if key not in self._days:
                self._days[key] = _Day()
                self._learn(self._days[key], tails[key])

    async def improvise(self, site: str, day: int) -> None:
        """Open a day from the history on disk and what is in memory; `share` catches up."""
        await self._memory.recall(site)
        for key in ((site, day - 1), (site, day)):
            self._days.setdefault(key, _Day())

    def admit(self, site: str, day: int, path: str, address: AddressHash) -> WhyOther | None:
        """Return None if hits may be counted under this path; the day must be open.

        `address` is the hash of the address that the hit comes from.
        """
        paths = self._days[site, day]
        key = hash(path)
        if key in paths.hot:
            return None
        digest = path_digest(path)
        if not self._is_known(site, day, digest):
            why = self._why_not(paths, site, day, digest, address)
            if why is not None:
                return why
            insort(paths.opened, digest)
            paths.fresh.append(digest)
            self._opened += 1
        self._warm(paths, key)
        return None

    def _is_known(self, site: str, day: int, digest: int) -> bool:
        before = self._days.get((site, day - 1))
        return (
            self._memory.holds(site, digest)
            or holds(self._days[site, day].opened, digest)
            or (before is not None and holds(before.opened, digest))
        )

    def _why_not(
        self, paths: _Day, site: str, day: int, digest: int, address: AddressHash
    ) -> WhyOther | None:
        opened, limit = len(paths.opened), self._limit_of(site)
        alone = limit - limit // 4
        if opened >= limit or self._opened >= MOST_OPENED:
            return WhyOther.SITE
        if opened < alone and self._new.take(address, site, day):
            return None
        if self._new.vouch(address, site, day, digest):
            return None
        return WhyOther.ADDRESS if opened < alone else WhyOther.SITE

    def _limit_of(self, site: str) -> int:
        return self._limit // FREE_PART if kind_of(site) in FREE else self._limit

    def _warm(self, paths: _Day, key: int) -> None:
        if self._hot >= MOST_HOT:
            for of_day in self._days.values():
                of_day.hot.clear()
            self._hot = 0
        paths.hot.add(key)
        self._hot += 1

    async def share(self) -> None:
        """Share new paths, learn those of other processes, and forget past days.

        Raises StateError; paths that could not be shared are shared the next time.
        """
        self._forget()
        now = self._clock()
        is_due = now - self._looked >= LOOK_MS
        sent = {
            key: Appended(packed(day.fresh), day.read)
            for key, day in self._days.items()
            if day.fresh or is_due
        }
        if sent:
            tails = await self._shared.exchange(sent)
            for key, tail in tails.items():
                day = self._days[key]
                del day.fresh[: len(sent[key].digests) // DIGEST_BYTES]
                self._learn(day, tail)
        if is_due:
            self._looked = now
        await self._memory.refresh()

    def _learn(self, day: _Day, tail: DayTail) -> None:
        before = len(day.opened)
        day.take(tail, min(self._limit, before + MOST_OPENED - self._opened))
        self._opened += len(day.opened) - before

    def _forget(self) -> None:
        # The day before the oldest one still current anywhere on Earth is needed, too.
        oldest = self._clock() // DAY_MS - 2
        for key in [key for key in self._days if key[1] < oldest]:
            day = self._days.pop(key)
            self._hot -= len(day.hot)
            self._opened -= len(day.opened)
        self._new.forget(oldest)
        self._loading = +self._loading
        self._memory.keep_only({site for site, _ in self._days} | self._loading.keys())
