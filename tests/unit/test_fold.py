"""The fold is a function of the log: kills, replays, cuts and overlaps change nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.fold import Folded, PackedFold, PartitionFold, Read, apply, changes
from services.aggregator.online_window import ONLINE_MS
from services.aggregator.repetitions import MOST_IDS, WINDOW_MS, Repetitions
from services.aggregator.visits import FORGET_MS, LATE_MS, UNIT_BITS, Visits
from services.log.batch import Batch, decode, encode
from services.log.redis import entry_ids
from services.model.calendar import Grain, period_start
from services.model.hit import VISIT_WINDOW_MS, Hit, Visit
from services.state.online import bots_of
from services.store.counts.counters import CounterKey, CounterRow

MINUTE = 60_000
START = 1_750_000_000_000
DAY = 20_254
REPLAY_MS = 2 * FORGET_MS
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(PackedFold).decode

Log = Sequence[tuple[int, Batch]]


def batch_of(*hits: Hit) -> Batch:
    return decode(encode(hits))


def a_hit(at: int, visitor: int = 1, **fields: object) -> Hit:
    values = {"site": "mytho", "path": "/", "day": DAY, **fields}
    return Hit(at=START + at, visitor=visitor, **values)  # type: ignore[arg-type]


def at(ms: int, sequence: int = 0) -> int:
    return entry_ids.encode(START + ms, sequence)


def fold_all(log: Log) -> dict[CounterKey, CounterRow]:
    fold = PartitionFold(0)
    return apply({}, changes([fold.fold(run(entry)) for entry in log]))


def run(*entries: tuple[int, Batch]) -> list[Read]:
    return [(where, entry_ids.time_ms(where), batch) for where, batch in entries]


def total(rows: Mapping[CounterKey, CounterRow], site: str = "mytho") -> tuple[int, int]:
    views, visits, _ = rows[site, "total", 0, ""]
    return views, visits


def test_a_view_counts_in_every_period_of_its_page_and_of_its_site() -> None:
    rows = fold_all([(at(0), batch_of(a_hit(0, path="/a")))])
    assert rows == {
        ("mytho", grain, start, path): (1, 1, at(0))
        for grain, start in (("day", DAY), ("month", 20_240), ("year", 20_089), ("total", 0))
        for path in ("", "/a")
    }


def test_a_pause_of_thirty_minutes_starts_a_new_visit() -> None:
    one = VISIT_WINDOW_MS
    times = [0, one - 1, 2 * one - 1, 2 * one]
    log = [(at(ms), batch_of(a_hit(ms))) for ms in times]
    assert total(fold_all(log)) == (4, 2)


def test_a_visit_belongs_to_the_page_and_the_day_it_began_on() -> None:
    log = [
        (at(0), batch_of(a_hit(0, path="/first", day=DAY))),
        (at(MINUTE), batch_of(a_hit(MINUTE, path="/second", day=DAY + 1))),
    ]
    rows = fold_all(log)
    assert rows["mytho", "day", DAY, ""][:2] == (1, 1)
    assert rows["mytho", "day", DAY + 1, ""][:2] == (1, 0)
    assert rows["mytho", "total", 0, "/second"][:2] == (1, 0)


@pytest.mark.parametrize("back", [1, 3, 60, 1_000])
def test_a_clock_of_the_log_that_is_set_back_ends_no_visit_and_counts_who_is_online_once(
    back: int,
) -> None:
    """As in Kafka, where a broker whose clock is behind takes over the partition."""
    fold, begin = PartitionFold(0), -START % (1 << UNIT_BITS)
    visits: list[int] = []
    for number, visitor in ((1_000, 1), (1_293, 2), (1_294, 2), (1_295, 1)):
        clock = number - back if number == 1_295 else number
        hit = a_hit(begin + (number << UNIT_BITS), visitor=visitor)
        read = (number, START + begin + (clock << UNIT_BITS), batch_of(hit))
        visits += fold.fold([read]).visit
    assert visits == [Visit.STARTS, Visit.STARTS, Visit.CONTINUES, Visit.CONTINUES]
    assert fold.online.counts(START + begin + (1_295 << UNIT_BITS)) == {"mytho": 2}


def test_a_clock_that_was_hours_ahead_begins_anew_when_it_is_right() -> None:
    fold, ahead = PartitionFold(0), 200 * MINUTE
    fold.fold([(1, START + ahead, batch_of(a_hit(0), a_hit(0, visitor=2)))])
    rows = [(2, START + 1_000, batch_of(a_hit(1_000))), (3, START + 900, batch_of(a_hit(900)))]
    assert fold.fold(rows).visit == [Visit.STARTS, Visit.CONTINUES]
    assert fold.online.counts(START + 1_000) == {"mytho": 1}


def test_bots_do_not_count_and_views_without_a_visitor_start_no_visit() -> None:
    rows = fold_all([(at(0), batch_of(a_hit(0, bot=True), a_hit(0, visitor=0)))])
    assert total(rows) == (1, 0)


def test_a_visit_that_was_decided_elsewhere_is_taken_as_given() -> None:
    hits = [a_hit(0, visitor=0, visit=Visit.STARTS), a_hit(0, visitor=2, visit=Visit.CONTINUES)]
    assert total(fold_all([(at(0), batch_of(*hits))])) == (2, 1)


def test_a_request_that_the_browser_repeats_counts_once() -> None:
    one = a_hit(0, path="/a", view_id=7)
    # At once; by another ingest; from a spool; and for readers without a visitor.
    log = [
        (at(0), batch_of(one, one, a_hit(0, visitor=0, view_id=8))),
        (at(1), batch_of(one)),
        (at(8 * MINUTE), batch_of(one, a_hit(0, visitor=0, view_id=8), a_hit(1, view_id=9))),
    ]
    assert total(fold_all(log)) == (3, 1)
    fold = PartitionFold(0)
    folded = fold.fold(run(*log))
    assert (len(folded), folded.repeated) == (3, 4)
    assert folded.hits.view_id == [7, 8, 9]
    assert [fold.fold(run((at(9 * MINUTE), batch_of(one)))).repeated, len(folded)] == [1, 3]


def test_a_reader_who_comes_again_is_no_repetition() -> None:
    log = [(at(n), batch_of(a_hit(n), a_hit(n, view_id=n + 1))) for n in range(3)]
    assert total(fold_all(log)) == (6, 1)


def test_a_repetition_is_known_for_a_window_at_least_and_two_at_most() -> None:
    for begin in (0, 1, WINDOW_MS // 2, WINDOW_MS - 1):
        for after, count in ((WINDOW_MS, 1), (2 * WINDOW_MS, 2)):
            log = [(at(ms), batch_of(a_hit(ms, view_id=7))) for ms in (begin, begin + after)]
            assert total(fold_all(log))[0] == count
    assert 2 * WINDOW_MS < FORGET_MS


def test_whoever_reads_the_last_stretch_only_decides_alike_after_a_repetition() -> None:
    log = [(at(ms), batch_of(a_hit(ms, view_id=ms + 7))) for ms in (0, 36 * MINUTE)]
    log[1:1] = [(at(9 * MINUTE), batch_of(a_hit(9 * MINUTE, view_id=7)))]
    whole, stretch = PartitionFold(0), PartitionFold(0)
    decided = [whole.fold(run(entry)) for entry in log]
    assert [(len(folded), folded.repeated) for folded in decided] == [(1, 0), (0, 1), (1, 0)]
    stretch.rebuild(run(log[1]))
    assert stretch.fold(run(log[2])).visit == decided[2].visit


def test_the_numbers_of_a_million_views_do_not_fill_the_memory() -> None:
    known = Repetitions()
    for first in range(1, 2_000_000, 500):
        known.first(START, range(first, first + 500))
    assert len(known) <= MOST_IDS + 500
    assert known.first(START, [1, 0, 0]) == [False, True, True]
    known.first(START + WINDOW_MS, [1_999_999_999])
    known.first(START + 2 * WINDOW_MS, [1_999_999_998])
    assert len(known) == 2


def test_hits_from_a_spool_join_the_visit_they_belong_to() -> None:
    drained = [a_hit(minute * MINUTE) for minute in (8, 16, 24)]
    log = [
        (at(0), batch_of(a_hit(0))),
        (at(28 * MINUTE), batch_of(*drained)),
        (at(50 * MINUTE), batch_of(a_hit(50 * MINUTE))),
    ]
    assert total(fold_all(log)) == (5, 1)


def test_late_hits_neither_end_nor_prolong_the_visit_that_is_going_on() -> None:
    hour = 60 * MINUTE
    log = [
        (at(3 * hour), batch_of(a_hit(3 * hour))),
        (at(3 * hour + 1), batch_of(a_hit(0), a_hit(MINUTE))),
        (at(3 * hour + MINUTE), batch_of(a_hit(3 * hour + MINUTE))),
        (at(3 * hour + MINUTE + 1), batch_of(a_hit(2 * MINUTE))),
    ]
    assert total(fold_all(log)) == (5, 2)


def test_a_row_skips_the_batches_it_already_holds() -> None:
    fold = PartitionFold(0)
    batches = [fold.fold(run((at(n), batch_of(a_hit(n, visitor=n))))) for n in (1, 2, 3)]
    key = ("mytho", "total", 0, "")
    rows = apply({key: (10, 5, at(2))}, changes(batches))
    assert rows[key] == (11, 6, at(3))
    assert key not in apply({key: (10, 5, at(3))}, changes(batches))


def test_a_batch_is_folded_once() -> None:
    fold = PartitionFold(0)
    fold.fold(run((at(1), batch_of(a_hit(1)))))
    with pytest.raises(ValueError, match="was folded before"):
        fold.fold(run((at(1), batch_of(a_hit(1)))))


def test_forgotten_visitors_leave_memory() -> None:
    visits = Visits()
    for number in range(1000):
        visits.decide(batch_of(a_hit(number, visitor=number + 1)), [START + number])
    assert len(visits) == 1000
    for step in (1, 2, 3):
        now = step * (FORGET_MS + 1000)
        visits.decide(batch_of(a_hit(now, visitor=1)), [START + now])
    assert len(visits) <= 3


def test_the_peak_is_the_most_visitors_within_five_minutes() -> None:
    fold = PartitionFold(0)
    for minute, visitor in ((0, 1), (1, 2), (2, 3), (20, 1)):
        ms = minute * MINUTE
        fold.fold(run((at(ms), batch_of(a_hit(ms, visitor=visitor)))))
    (peak,) = fold.online.take_peaks()
    assert (peak.site, peak.day, peak.online, peak.at) == ("mytho", DAY, 3, START + 2 * MINUTE)
    assert fold.online.take_peaks() == []
    assert fold.online.counts(START + 24 * MINUTE) == {"mytho": 1}
    assert fold.online.counts(START + 26 * MINUTE) == {}


def test_on_a_site_of_views_only_the_views_of_five_minutes_are_online() -> None:
    fold = PartitionFold(0)
    views = [a_hit(0, visitor=0, view_id=number) for number in (1, 2, 2)]
    silent = [
        a_hit(0, visitor=0, view_id=9, visit=Visit.STARTS),
        a_hit(0, visitor=0, view_id=8, visit=Visit.CONTINUES),
        a_hit(0, visitor=0),
    ]
    fold.fold(run((at(0), batch_of(*views, *silent))))
    assert fold.online.counts(START + MINUTE) == {"mytho": 2}
    assert fold.online.counts(START + 6 * MINUTE) == {}


def test_bots_online_are_counted_apart_and_make_no_peak() -> None:
    fold = PartitionFold(0)
    bots = [a_hit(0, visitor=visitor, bot=True) for visitor in (1, 2, 2)]
    late = a_hit(-2 * MINUTE, visitor=3, bot=True)
    fold.fold(run((at(0), batch_of(*bots, late, a_hit(0, visitor=7)))))
    assert fold.online.counts(START + MINUTE) == {"mytho": 1, "mytho#bots": 2}
    again = a_hit(4 * MINUTE, visitor=2, bot=True)
    fold.fold(run((at(4 * MINUTE), batch_of(again))))
    assert fold.online.counts(START + 6 * MINUTE) == {"mytho#bots": 1}
    assert fold.online.counts(START + 10 * MINUTE) == {}
    assert [peak.online for peak in fold.online.take_peaks()] == [1]


# Properties


def log_of(seed: int, entries: int) -> Log:
    """A log of one partition over several hours: live hits, late ones, bots, few visitors.

    The entries of a seed are the same however many are taken, so that a failure shrinks.
    """
    chance = Random(seed)
    log: list[tuple[int, Batch]] = []
    now = 0
    for _ in range(entries):
        now += chance.choice([0, 1, MINUTE, 9 * MINUTE, 29 * MINUTE, 31 * MINUTE])
        hits = []
        for _ in range(chance.randint(1, 4)):
            late = chance.choice([0, 0, 0, 1000, LATE_MS + 1, 25 * MINUTE, 90 * MINUTE])
            ms = max(0, now - late)
            hits.append(
                a_hit(
                    ms,
                    visitor=chance.randint(0, 3),
                    site=chance.choice(["mytho", "danang"]),
                    path=chance.choice(["/", "/a"]),
                    day=DAY + ms // (3 * 60 * MINUTE),
                    bot=chance.random() < 0.25,
                    view_id=chance.choice([0, 0, chance.randint(1, 9)]),
                    region=chance.choice(["", "VN-45"]),
                )
            )
        log.append((at(now, len(log)), batch_of(*hits)))
    return log


# One number a log, and one for what is done with it: to draw each hit and each step takes several
# times as long as to fold them.
logs = st.builds(log_of, st.integers(0, (1 << 32) - 1), st.integers(1, 25))
chances = st.randoms(use_true_random=True)


class SimulatedStore:
    """Rows as ReplacingMergeTree(position) would show them, and the committed position."""

    def __init__(self) -> None:
        self.rows: dict[CounterKey, CounterRow] = {}
        self.committed = 0

    def insert(self, rows: Mapping[CounterKey, CounterRow]) -> None:
        for key, row in rows.items():
            held = self.rows.get(key)
            if held is not None and held[2] == row[2]:
                assert held == row, "two rows of one position differ"
            if held is None or held[2] < row[2]:
                self.rows[key] = row


class SimulatedWorker:
    """An aggregator that starts as the real one does: two windows before the commit."""

    def __init__(self, log: Log, store: SimulatedStore) -> None:
        self.log, self.store = log, store
        self.fold = PartitionFold(0)
        self.hot: dict[CounterKey, CounterRow] = {}
        self.pending: list[Folded] = []
        replay = entry_ids.encode(REPLAY_MS, 0)
        self.rebuilt = store.committed - replay // 2
        first = store.committed - replay
        self.next = sum(where < first for where, _ in log)

    @property
    def done(self) -> bool:
        return self.next == len(self.log)

    def read(self, count: int) -> None:
        entries = self.log[self.next : self.next + count]
        if rebuilding := [entry for entry in entries if entry[0] < self.rebuilt]:
            self.fold.rebuild(run(*rebuilding))
        if others := entries[len(rebuilding) :]:
            self.pending.append(self.fold.fold(run(*others)))
        self.next = min(len(self.log), self.next + count)

    def flush(self, *, written: float = 1.0, commit: bool = True) -> None:
        """Write the first part of the rows; a worker that wrote less than all is dead after it."""
        by_row = changes(self.pending)
        for key in by_row:
            if key not in self.hot and key in self.store.rows:
                self.hot[key] = self.store.rows[key]
        changed = apply(self.hot, by_row)
        kept = dict(list(changed.items())[: int(len(changed) * written)])
        self.store.insert(kept)
        self.hot |= kept
        self.pending = []
        if commit and written == 1.0 and self.next:
            self.store.committed = max(self.store.committed, self.log[self.next - 1][0] + 1)


@settings(max_examples=300, deadline=None)
@given(log=logs, chance=chances)
def test_kills_replays_cuts_and_overlaps_never_change_a_row(log: Log, chance: Random) -> None:
    expected = fold_all(log)
    store = SimulatedStore()
    workers = [SimulatedWorker(log, store)]
    for _ in range(chance.randint(0, 30)):
        worker = chance.choice(workers)
        step = chance.choice(["read", "read", "flush", "kill", "die", "join"])
        if step == "read":
            worker.read(chance.randint(1, 6))
        elif step == "flush":
            worker.flush(commit=chance.random() < 0.5)
        elif step == "join" and len(workers) < 3:
            workers.append(SimulatedWorker(log, store))
        elif step in ("kill", "die"):
            if step == "die":
                worker.flush(written=chance.choice([0.0, 0.3, 0.7]), commit=False)
            workers[workers.index(worker)] = SimulatedWorker(log, store)
    last = SimulatedWorker(log, store)
    last.read(len(log))
    last.flush()
    assert store.rows == expected


@settings(max_examples=100, deadline=None)
@given(log=logs)
def test_views_are_what_a_plain_count_of_the_log_gives(log: Log) -> None:
    expected: Counter[tuple[str, int, str]] = Counter()
    windows: dict[int, set[int]] = {}
    for where, batch in log:
        window = entry_ids.time_ms(where) // WINDOW_MS
        ids = windows.setdefault(window, set())
        for hit in batch.hits():
            repeated = hit.view_id and hit.view_id in ids | windows.get(window - 1, set())
            if hit.view_id:
                ids.add(hit.view_id)
            if not hit.bot and not repeated:
                expected[hit.site, hit.day, hit.path] += 1
    rows = fold_all(log)
    counted = {
        (site, start, path): views
        for (site, grain, start, path), (views, _, _) in rows.items()
        if grain == "day" and path
    }
    assert counted == dict(expected)
    for site in {site for site, _, _ in expected}:
        of_site = sum(views for (name, _, _), views in expected.items() if name == site)
        assert total(rows, site)[0] == of_site


@settings(max_examples=100, deadline=None)
@given(log=logs, chance=chances)
def test_a_flush_adds_to_each_row_the_hits_after_its_position(log: Log, chance: Random) -> None:
    fold, rest, folded = PartitionFold(0), list(log), list[Folded]()
    while rest:
        cut = chance.randint(1, len(rest))
        folded.append(fold.fold(run(*rest[:cut])))
        rest = rest[cut:]
    hits = [
        (hit.site, hit.path, hit.day, position, visit == Visit.STARTS)
        for each in folded
        for hit, position, visit in zip(each.hits.hits(), each.position, each.visit, strict=True)
        if not hit.bot
    ]
    # Rows that a flush before has written up to any position, or that are not there.
    held = {
        key: (7, 3, chance.choice([-1, *(where for where, _ in log)]))
        for key in changes(folded)
        if chance.random() < 0.7
    }
    expected: dict[CounterKey, CounterRow] = {}
    for site, path, day, position, starts in hits:
        for grain in Grain:
            for name in (path, ""):
                key = (site, grain.value, period_start(day, grain), name)
                views, visits, last = expected.get(key, held.get(key, (0, 0, -1)))
                if position > held.get(key, (0, 0, -1))[2]:
                    expected[key] = (views + 1, visits + starts, max(position, last))
    assert apply(held, changes(folded)) == expected


@settings(max_examples=200, deadline=None)
@given(log=logs, chance=chances)
def test_a_decision_depends_on_the_last_stretch_of_the_log_only(log: Log, chance: Random) -> None:
    whole = PartitionFold(0)
    folded = [whole.fold(run(entry)) for entry in log]
    decided, repeated = [each.visit for each in folded], [each.repeated for each in folded]
    index = chance.randrange(len(log))
    stretch = PartitionFold(0)
    begin = log[index][0] - entry_ids.encode(FORGET_MS, 0)
    for entry in log[: index + 1]:
        if entry[0] >= begin:
            last = stretch.fold(run(entry))
    assert last.visit == decided[index]
    assert last.repeated == repeated[index]


@settings(max_examples=200, deadline=None)
@given(log=logs, chance=chances)
def test_neither_cuts_nor_a_clock_that_is_ahead_change_a_peak(log: Log, chance: Random) -> None:
    def peaks(fold: PartitionFold) -> dict[tuple[str, int], tuple[int, int]]:
        return {(peak.site, peak.day): (peak.online, peak.at) for peak in fold.online.take_peaks()}

    one, many = PartitionFold(0), PartitionFold(0)
    one.fold(run(*log))
    for entry in log:
        many.fold(run(entry))
        many.online.counts(START + chance.randint(0, 24 * 60) * MINUTE)
    assert peaks(one) == peaks(many)


@settings(max_examples=150, deadline=None)
@given(log=logs, minutes=st.integers(0, 10))
def test_online_is_who_was_seen_in_the_last_five_minutes(log: Log, minutes: int) -> None:
    fold = PartitionFold(0)
    last: dict[tuple[str, bool, int], int] = {}
    for where, batch in log:
        fold.fold(run((where, batch)))
        now = entry_ids.time_ms(where)
        for hit in batch.hits():
            someone = hit.visitor or (hit.view_id if not hit.visit else 0)
            if someone and now - hit.at <= LATE_MS:
                name = bots_of(hit.site) if hit.bot else hit.site
                last[name, not (hit.visitor or hit.bot), someone] = now
        # To the second: in units of 1,024 ms.
        at_ms = now + minutes * MINUTE
        first = (at_ms >> UNIT_BITS) - (ONLINE_MS >> UNIT_BITS)
        seen = Counter(site for (site, *_), ms in last.items() if ms >> UNIT_BITS >= first)
        assert fold.online.counts(at_ms) == seen


@given(log=logs)
def test_a_restart_after_any_batch_goes_on_as_if_it_had_not_happened(log: Log) -> None:
    expected = fold_all(log)
    for cut in range(1, len(log)):
        store = SimulatedStore()
        first = SimulatedWorker(log, store)
        first.read(cut)
        first.flush()
        second = SimulatedWorker(log, store)
        second.read(len(log))
        second.flush()
        assert store.rows == expected


@settings(max_examples=100, deadline=None)
@given(log=logs)
def test_a_fold_that_was_packed_at_any_cut_goes_on_as_if_it_had_not_been(log: Log) -> None:
    whole = PartitionFold(0)
    packed = [_ENCODE(whole.pack())]
    expected = []
    for entry in log:
        expected.append((whole.fold(run(entry)), whole.online.counts(entry_ids.time_ms(entry[0]))))
        packed.append(_ENCODE(whole.pack()))
    for cut, state in enumerate(packed):
        fold = PartitionFold.unpack(0, _DECODE(state))
        rest = [
            (fold.fold(run(entry)), fold.online.counts(entry_ids.time_ms(entry[0])))
            for entry in log[cut:]
        ]
        assert rest == expected[cut:]
        assert len(fold.visits) == len(whole.visits)
        assert len(fold.repetitions) == len(whole.repetitions)


@settings(max_examples=100, deadline=None)
@given(log=logs, chance=chances)
def test_the_replay_repairs_rows_that_a_power_cut_took(log: Log, chance: Random) -> None:
    committed = chance.randint(1, len(log))
    store = SimulatedStore()
    worker = SimulatedWorker(log, store)
    durable: list[dict[CounterKey, CounterRow]] = [{}]
    for _ in range(committed):
        worker.read(1)
        worker.flush()
        durable.append(dict(store.rows))
    window = store.committed - entry_ids.encode(FORGET_MS, 0)
    oldest = sum(where < window for where, _ in log[:committed])
    store.rows = durable[chance.randint(oldest, committed)]
    second = SimulatedWorker(log, store)
    second.read(len(log))
    second.flush()
    assert store.rows == fold_all(log)


def test_a_visitor_is_forgotten_at_the_first_entry_that_a_replay_may_not_have_seen() -> None:
    # Entries of one millisecond differ by their sequence; a replay may begin between them.
    log = [
        (at(0, 1), batch_of(a_hit(0))),
        (at(FORGET_MS, 2), batch_of(a_hit(FORGET_MS - MINUTE - 1))),
    ]
    assert total(fold_all(log)) == (2, 2)
