"""How long what was read of a site stays valid: until a notice of a change, or for a while.

While every change in a site's partition is announced, numbers are valid until a notice, or until
the periodic read that serves as a safety net; otherwise, for a second.
"""

import time
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from services.api.counter.loaded import Loaded
from services.api.sites.index import SiteIndex
from services.api.sites.registry import Registry
from services.model.kept_apart import site_of
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.model.site import Site
from services.state.changes import Notice

UNTOLD_SECONDS = 1.0
"""How long numbers are valid whose changes are not announced."""
SETTLE_SECONDS = 5.0
"""How long after a change numbers are read every second when the store has several hosts: the host
read from may get rows later than the one written to, which the notice is about."""
NET_SECONDS = 15.0
"""How long numbers whose changes are announced are valid, in case one was missed: half of this to
all of it, by site."""
TELLER_SECONDS = 3.0
"""A sender of notices that was silent this long, three times its period, no longer counts."""
REST_SECONDS = 0.5
"""Changes cause a site to be read at most this often, even if somebody makes them up."""

CHANGED, NET, SETTLING, UNTOLD = "changed", "net", "settling", "untold"


class ToldPartition:
    """Since when all changes in one partition were announced, and until when that is believed."""

    __slots__ = ("since", "teller", "until")

    def __init__(self) -> None:
        self.teller = ""
        self.since, self.until = inf, -inf

    def by(self, teller: str, now: float) -> None:
        """Hear a sender: what was read before its first notice may have changed unannounced."""
        if teller != self.teller or now >= self.until:
            self.teller, self.since = teller, now
        self.until = now + TELLER_SECONDS

    def doubt(self) -> None:
        """Note that something may have been missed."""
        self.until = -inf


class SiteChanges:
    """How long what was read of a site is valid; sites merged into it are its parts."""

    __slots__ = ("_net", "_settle", "at", "days", "epoch", "minute", "parts", "told")

    def __init__(self, name: str, settle: float = 0.0) -> None:
        self._settle = settle
        self.at = -inf
        """When the numbers last changed; in the near future if the one before is too recent."""
        self.parts: tuple[Site, ...] = ()
        self.told: tuple[ToldPartition, ...] = ()
        self.days: tuple[int, ...] = ()
        self.minute = -1
        self.epoch = -1
        # Spreads out sites that were read together.
        self._net = 0.5 + partition_of(name, 512) / 1024

    def touch(self, now: float) -> None:
        """Note that the numbers may differ from now on."""
        if self.at <= now:
            self.at = max(now, self.at + REST_SECONDS)

    def expires_at(self, began: float, loaded_at: float) -> float:
        """Return until when a value that was read from `began` to `loaded_at` is valid."""
        until = loaded_at + UNTOLD_SECONDS
        heard = self._heard(began)
        if heard > until and not self._is_settling(began):
            until = max(until, min(loaded_at + NET_SECONDS * self._net, heard))
        return min(until, self.at) if self.at > began else until

    def why(self, began: float, now: float) -> str:
        """Return why a value whose reading began at `began` is read again."""
        if began < self.at:
            return CHANGED
        if self._heard(began) <= now:
            return UNTOLD
        return SETTLING if self._is_settling(began) else NET

    def _is_settling(self, began: float) -> bool:
        return began < self.at + self._settle

    def _heard(self, began: float) -> float:
        """Return until when it is believed that every change since then was announced."""
        if not self.told or any(partition.since > began for partition in self.told):
            return -inf
        return min([partition.until for partition in self.told])


class Changes:
    """The changes of every site: from notices, from its settings, and at its midnight."""

    def __init__(
        self,
        registry: Registry,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        partitions: int = DEFAULT_PARTITIONS,
        settle: float = 0.0,
        readable: Callable[[], bool] = lambda: True,
    ) -> None:
        """Follow this many partitions of the log; numbers settle for a while after each change.

        While the store is not `readable`, notices are ignored and numbers are read every second, so
        that the outage is noticed and reported.
        """
        self._readable = readable
        self._settle = settle
        self._registry = registry
        self._clock = clock
        self._monotonic = monotonic
        self._told = [ToldPartition() for _ in range(partitions)]
        self._sites: dict[str, SiteChanges] = {}
        self._index: SiteIndex | None = None
        self._epoch = 0

    def hear(self, notice: Notice | None) -> bool:
        """Take a notice, None when some may have been missed; tell whether a site changed."""
        now = self._monotonic()
        believed = notice is not None and self._readable()
        if not believed:
            for each in self._told:
                each.doubt()
        if notice is None:
            return False
        for partition in notice.partitions if believed else ():
            if 0 <= partition < len(self._told):
                self._told[partition].by(notice.teller, now)
        changed = False
        for name in notice.sites:
            for known in self._showing(name):
                known.touch(now)
                changed = True
        return changed

    def expect(self, names: Iterable[str]) -> None:
        """Follow changes of these from now on: they are about to be read, maybe for the first time.

        names  those of their counters
        """
        for name in names:
            self.of(site_of(name))

    def touch(self, name: str) -> None:
        """Note that the numbers of a site may differ from now on."""
        self.of(name).touch(self._monotonic())

    def expiry(self, key: tuple[str, str], entry: Loaded[Any]) -> float:
        """Return until when a value, whose key begins with a counter's name, is valid."""
        return self.of(site_of(key[0])).expires_at(entry.began, entry.loaded_at)

    def why(self, key: tuple[str, str], entry: Loaded[Any]) -> str:
        """Return why a value that is not fresh is read again."""
        return self.of(site_of(key[0])).why(entry.began, self._monotonic())

    def told_partitions(self) -> int:
        """Return the number of partitions whose changes are announced."""
        now = self._monotonic()
        return sum(partition.until > now for partition in self._told)

    def of(self, name: str) -> SiteChanges:
        """Return what is known about the changes of a site, by the name it is kept under."""
        index = self._registry.index
        if index is not self._index:
            self._index, self._epoch = index, self._epoch + 1
            self._sites = {
                name: known for name, known in self._sites.items() if index.kept(name) is not None
            }
        known = self._sites.get(name)
        if known is None or known.epoch != self._epoch:
            known = self._found(name, index)
        now = self._clock()
        if known.minute != (minute := int(now // 60)):
            # Days begin on a full minute; when one does, the periods are made up of other rows.
            known.minute = minute
            days = tuple([part.day_of(int(now * 1000)) for part in known.parts])
            if known.days and days != known.days:
                known.touch(self._monotonic())
            known.days = days
        return known

    def _found(self, name: str, index: SiteIndex) -> SiteChanges:
        site = index.kept(name)
        if site is None:
            return SiteChanges(name)
        known = self._sites.setdefault(name, SiteChanges(name, self._settle))
        parts = index.parts(site)
        if parts != known.parts:
            if known.parts:
                known.touch(self._monotonic())
            partitions = {partition_of(part.kept_as, len(self._told)) for part in parts}
            known.told = tuple([self._told[partition] for partition in partitions])
            known.parts, known.days, known.minute = parts, (), -1
        known.epoch = self._epoch
        return known

    def _showing(self, name: str) -> Iterable[SiteChanges]:
        """Yield the known sites whose numbers include a counter; few, and maybe none.

        A site that was never read needs no update.
        """
        seen: set[str] = set()
        site = self._registry.kept(site_of(name))
        while site is not None and site.kept_as not in seen:
            seen.add(site.kept_as)
            if (known := self._sites.get(site.kept_as)) is not None:
                yield known
            site = self._registry.kept(site.merged_into)
