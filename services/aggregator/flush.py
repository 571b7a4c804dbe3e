"""The flush: writes folded batches to the store; only then may they be acknowledged."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain, compress, groupby
from operator import not_
from typing import Any, NamedTuple

from services.aggregator import imported, metrics
from services.aggregator.fold import Folded
from services.aggregator.folding import AnyFolded
from services.aggregator.kernel.entries import columns_between
from services.aggregator.kernel.fold import KernelFolded
from services.aggregator.kernel.rows import KernelRows
from services.aggregator.online_window import DayPeak
from services.aggregator.rows import ChangedRows, HeldRows, HotRows
from services.aggregator.watermarks import NotesSites
from services.log.batch import joined
from services.model.calendar import months
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.runtime.outage import Outage
from services.store.counts import counters, hits, peaks
from services.store.interface import Store, StoreUnavailableError

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0

COLUMNS = (
    "site", "path", "at", "day", "visitor", "bot", "host", "source", "device", "browser", "os",
    "country", "own_path", "utm_medium", "utm_campaign", "utm_content", "utm_term",
    "utm_source", "region",
)  # fmt: skip


ALL_COLUMNS = (*COLUMNS, "visit", "position", "idx")


AnyRows = HeldRows[Any, Any]


class FlushRows(NamedTuple):
    """The rows that a flush continues from.

    taken  partitions whose previous owner may have written to another host of the store
    ends   the newest position of each partition that was counted before it was taken
    """

    by_partition: dict[int, AnyRows]
    taken: set[int]
    ends: dict[int, int]


class Flusher:
    """Writes folded runs. Every step is idempotent: repeating it counts nothing twice."""

    def __init__(
        self,
        store: Store,
        hot_rows: int,
        watermarks: NotesSites | None = None,
        first_kept: Callable[[], int] = lambda: 0,
        partitions: int = DEFAULT_PARTITIONS,
    ) -> None:
        """Prepare.

        watermarks  kept if the store has several hosts
        first_kept  returns the first day whose raw hits are kept; those of earlier days are
                    not written, only their visitors are counted
        partitions  of the log
        """
        self._partitions = partitions
        self._first_kept = first_kept
        self._store = store
        self._watermarks = watermarks
        self._limit = hot_rows
        self._rows: dict[int, AnyRows] = {}
        self._taken: set[int] = set()
        self._ends: dict[int, int] = {}
        """The newest position of each partition that was counted before it was taken."""
        self._outage = Outage(
            log, "the store is unavailable, hits wait in the log", "the store is available"
        )
        self.unavailable: str | None = None
        """Why the current flush is being retried; None when it is not."""

    def forget(self, partitions: Collection[int]) -> None:
        """Drop the rows of partitions that another worker owns now."""
        for partition in partitions:
            self._rows.pop(partition, None)
            self._ends.pop(partition, None)
            self._taken.discard(partition)

    async def flush(
        self,
        fresh: Sequence[AnyFolded],
        replayed: Sequence[AnyFolded],
        new_peaks: Sequence[DayPeak],
    ) -> set[str]:
        """Write raw hits, counter rows and peaks; all are in the store when this returns.

        Return the names of the sites whose numbers may have changed.

        For replayed batches, only raw hits missing from the store are written. Retries until the
        store accepts them: until this returns, the log is the durable copy.
        """
        started = time.monotonic()
        pause = _FIRST_PAUSE
        # Taken before anything is awaited: a partition that goes to another worker and comes back
        # in the meantime must not find its old rows here.
        rows = self._rows_of({folded.partition: folded for folded in (*fresh, *replayed)})
        while True:
            try:
                changed = await self._flush(fresh, replayed, new_peaks, rows)
            except StoreUnavailableError as error:
                self.unavailable = str(error)
                metrics.flush_retries.inc()
                self._outage.begins(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                break
        self.unavailable = None
        self._outage.ends()
        metrics.flush_seconds.observe(time.monotonic() - started)
        metrics.hot_rows.set(sum(len(rows) for rows in self._rows.values()))
        return changed

    def _rows_of(self, runs: Mapping[int, AnyFolded]) -> FlushRows:
        """Return the rows of partitions, given a run of each."""
        for partition, run in runs.items():
            if partition not in self._rows:
                self._taken.add(partition)
                self._rows[partition] = no_rows(run, native=self._store.takes_native)
        rows = {partition: self._rows[partition] for partition in runs}
        ends = {partition: end for partition, end in self._ends.items() if partition in runs}
        return FlushRows(rows, self._taken & runs.keys(), ends)

    async def _flush(
        self,
        fresh: Sequence[AnyFolded],
        replayed: Sequence[AnyFolded],
        new_peaks: Sequence[DayPeak],
        hot_rows: FlushRows,
    ) -> set[str]:
        again, new = await self._written_before(fresh, hot_rows)
        await self._write_hits(new)
        await self._write_lost([*replayed, *again])
        await imported.write(self._store, fresh, replayed)
        by_partition: dict[int, list[AnyFolded]] = {}
        for folded in (*replayed, *fresh):
            runs = by_partition.setdefault(folded.partition, [])
            if runs and folded.first <= runs[-1].last:
                raise ValueError(f"a run from {folded.first} comes after {runs[-1].last}")
            runs.append(folded)
        if hot_rows.taken:
            await self._store.verify()
        self._taken -= hot_rows.taken
        hot_rows.taken.clear()
        changed: dict[int, ChangedRows] = {}
        reached: dict[str, int] = {}
        sites = {peak.site for peak in new_peaks}
        for partition, runs in by_partition.items():
            if not self._store.takes_native:
                runs = [run.in_python for run in runs]
            rows = await hot_rows.by_partition[partition].changed(self._store, runs)
            # All of them, not just those that differ: a failed attempt may have written some.
            sites |= rows.sites
            if self._watermarks is not None:
                reached |= rows.reached
            changed[partition] = rows
        if written := sum(map(len, changed.values())):
            first, *others = changed.values()
            await counters.write_columns(self._store, first.columns_with(others))
            metrics.flushed_counters.inc(written)
        if self._watermarks is not None:
            # Not of changed rows only: those of a failed attempt may be in the store.
            await self._watermarks.note_sites(reached)
        for partition, rows in changed.items():
            hot_rows.by_partition[partition].put(rows, self._limit // max(1, len(self._rows)))
        if new_peaks:
            await peaks.write(self._store, [(p.site, p.day, p.online, p.at) for p in new_peaks])
        return sites

    async def _written_before(
        self, runs: Sequence[AnyFolded], rows: FlushRows
    ) -> tuple[Sequence[AnyFolded], Sequence[AnyFolded]]:
        """Return the runs whose raw hits may have been written before, and the others.

        After a rewind, and after a flush that was not committed, what was counted before is read
        as if it were new. Its raw hits may have been given the paths of their pages since, which
        writing them once more would undo.
        """
        ends = rows.ends
        if unknown := rows.taken - ends.keys():
            await self._store.verify()
            found = dict.fromkeys(unknown, -1)
            for site, position in (await counters.positions(self._store)).items():
                partition = partition_of(site, self._partitions)
                if partition in found:
                    found[partition] = max(position, found[partition])
            ends |= found
            # One that went to another worker in the meantime may come back with a later end.
            self._ends |= {partition: ends[partition] for partition in unknown & self._taken}
        is_again = [run.first <= ends.get(run.partition, -1) for run in runs]
        if not any(is_again):
            return (), runs
        return list(compress(runs, is_again)), list(compress(runs, map(not_, is_again)))

    async def _write_hits(
        self, runs: Sequence[AnyFolded], lost: Collection[tuple[str, int]] = ()
    ) -> None:
        """Write raw hits: all of them, or those of these sites at these positions."""
        if not runs:
            return
        if not lost and self._store.takes_native and (in_c := in_c_only(runs)):
            await self._write_kernel_hits(in_c)
            return
        columns = hit_columns([run.in_python for run in runs])
        if lost:
            keys = zip(columns["site"], columns["position"], strict=True)
            is_lost = [key in lost for key in keys]
            columns = {name: list(compress(values, is_lost)) for name, values in columns.items()}
        columns = await self._without_old(columns)
        if not columns["idx"]:
            return
        await hits.write(self._store, columns)
        metrics.flushed_hits.inc(len(columns["idx"]))

    async def _write_kernel_hits(self, runs: Sequence[KernelFolded]) -> None:
        """Write raw hits of the fold in C, one insert a month; count visitors of older ones."""
        entries = [run.entries for run in runs]
        ends = [days for of in entries if (days := of.days()) is not None]
        if not ends:
            return
        first, last = min(day for day, _ in ends), max(day for _, day in ends)
        if first < (first_kept := self._first_kept()):
            for days in months(first, min(last, first_kept - 1)):
                old = columns_between(entries, hits.OLD_COLUMNS, days)
                await hits.count_visitors_of_month(self._store, old)
        for days in months(max(first, first_kept), last):
            columns = columns_between(entries, ALL_COLUMNS, days)
            if len(columns["idx"]):
                await hits.write_month(self._store, columns)
                metrics.flushed_hits.inc(len(columns["idx"]))

    async def _write_lost(self, replayed: Sequence[AnyFolded]) -> None:
        """Write the replayed batches whose raw hits the store does not have in full.

        ClickHouse acknowledges an insert before it is on disk, so a power cut can lose the last.
        """
        if not replayed:
            return
        columns = await self._without_old(hit_columns([run.in_python for run in replayed]))
        days = columns["day"]
        if not days:
            return
        expected = Counter(zip(columns["site"], columns["position"], strict=True))
        stored = await hits.held(
            self._store,
            {site for site, _ in expected},
            min(run.first for run in replayed),
            max(run.last for run in replayed),
            (min(days), max(days)),
        )
        lost = {key for key, count in expected.items() if stored.get(key, 0) < count}
        if lost:
            await self._write_hits(replayed, lost)
            metrics.repaired_batches.inc(len({position for _, position in lost}))

    async def _without_old(self, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Count the visitors of raw hits that are not kept, and return those that are."""
        first = self._first_kept()
        is_old = [day < first for day in columns["day"]]
        if not any(is_old):
            return columns
        old = {name: list(compress(values, is_old)) for name, values in columns.items()}
        await hits.count_visitors(self._store, old)
        is_kept = [not each for each in is_old]
        return {name: list(compress(values, is_kept)) for name, values in columns.items()}


def in_c_only(runs: Sequence[AnyFolded]) -> list[KernelFolded]:
    """Return the runs if they come from the fold in C; a process has only one kind."""
    return [run for run in runs if isinstance(run, KernelFolded)]


def no_rows(run: AnyFolded, *, native: bool = True) -> AnyRows:
    """Return an empty row cache for runs of the fold that made this one.

    native  whether the store accepts columns written in C
    """
    if isinstance(run, KernelFolded) and native:
        return KernelRows(run.entries.library)
    return HotRows()


def hit_columns(runs: Sequence[Folded]) -> dict[str, list[Any]]:
    """Return the raw hits of runs as the columns of the table `hits`."""
    columns: dict[str, list[Any]] = {
        name: joined([getattr(run.hits, name) for run in runs]) for name in COLUMNS
    }
    columns["visit"] = list(chain.from_iterable([run.visit for run in runs]))
    columns["position"] = list(chain.from_iterable([run.position for run in runs]))
    columns["idx"] = list(chain.from_iterable([_indices(run.position) for run in runs]))
    return columns


def _indices(positions: Sequence[int]) -> list[int]:
    """Return the index of each hit of a run in its batch, given the position of each."""
    return [index for _, of_one in groupby(positions) for index, _ in enumerate(of_one)]
