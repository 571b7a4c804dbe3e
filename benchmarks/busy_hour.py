"""The busiest hour of ten billion hits a day, second by second: skew, bursts, and what fails.

A model, fed with what was measured on small machines: what one aggregator commits, and how
long a killed one's partitions wait for another. Nothing here has been run at that size.
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from random import Random

import msgspec

from benchmarks.plan import DAY, Assumed
from benchmarks.portals import SEED
from benchmarks.results import Report
from services.aggregator.pace import flush_period
from services.model.partition import partition_of

HITS_A_DAY = 10e9
PARTITIONS = 64
SITES = 10_000
EXPONENT = 0.8
SECONDS = 3600
AT = 600
"""When it happens."""
FLUSH_SECONDS = 1.0
FRESH_SECONDS = 2.5

KEPT_SECONDS = 20
"""What is read again of a partition that is taken over: see fold_keeper.py."""


class Event(msgspec.Struct, frozen=True):
    """What happens, and for how many seconds.

    killed   aggregators that are killed, the busiest first; one is always left
    away     share of the partitions whose master of the log is away: hits wait in spools
    store    whether the store is away: nothing is written
    crowd    how many times as much the largest site has
    """

    name: str
    seconds: int = 0
    killed: int = 0
    away: float = 0.0
    store: bool = False
    crowd: float = 1.0


class Outcome(msgspec.Struct, frozen=True):
    """What comes of it.

    p99      seconds from a hit to its counter row, of all hits of the hour
    worst    of those of the worst second
    late     seconds from the event on until every hit is fresh again
    waiting  most hits that waited in the log, and in spools
    arrived, counted  hits of the hour
    """

    p99: float
    worst: float
    late: int
    waiting: int
    spooled: int
    arrived: int
    counted: int


class Hour(msgspec.Struct, frozen=True):
    """What runs: hits/s of all sites, those of one worker, and how long a take-over takes."""

    rate: float
    workers: int
    capacity: float
    takeover: int
    loads: Sequence[float]
    """Share of each partition; they add up to 1."""
    largest: tuple[int, float]
    """The partition of the largest site, and its share."""

    @property
    def period(self) -> float:
        """Seconds from one flush of a worker to the next."""
        return flush_period(FLUSH_SECONDS, 1, self.workers)


def loads(partitions: int = PARTITIONS) -> tuple[list[float], tuple[int, float]]:
    """Spread sites after Zipf's law; return each partition's share, and the largest site's."""
    random = Random(SEED)
    weights = [1 / rank**EXPONENT for rank in range(1, SITES + 1)]
    whole, shares, largest = sum(weights), [0.0] * partitions, (0, 0.0)
    for weight in weights:
        number = partition_of(f"portal-{random.getrandbits(40):x}", partitions)
        shares[number] += weight / whole
        if not largest[1]:
            largest = (number, weight / whole)
    return shares, largest


def hour_of(capacity: float, takeover_seconds: float, assumed: Assumed | None = None) -> Hour:
    """Return the least workers, two or more, whose busiest keeps within its share of a core."""
    assumed = assumed or Assumed()
    rate = HITS_A_DAY / DAY * assumed.peak
    shares, largest = loads()
    workers = 2
    while workers < PARTITIONS and _busiest(shares, workers) * rate > capacity * assumed.busy:
        workers += 1
    return Hour(rate, workers, capacity, math.ceil(takeover_seconds), shares, largest)


def owners(workers: Sequence[int]) -> list[int]:
    """Return who owns each partition: as many each, or one more."""
    return [workers[number * len(workers) // PARTITIONS] for number in range(PARTITIONS)]


def _busiest(shares: Sequence[float], workers: int) -> float:
    of_worker = [0.0] * workers
    for number, owner in enumerate(owners(range(workers))):
        of_worker[owner] += shares[number]
    return max(of_worker)


class _Queue:
    """Hits of one partition that wait, by the second in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, float]] = deque()
        self.hits = 0.0

    def add(self, second: int, hits: float) -> None:
        self._waiting.append((second, hits))
        self.hits += hits

    def take(self, hits: float) -> Iterator[tuple[int, float]]:
        """Take the oldest; yield when they came, and how many."""
        while hits > 1e-9 and self._waiting:
            second, first = self._waiting[0]
            taken = min(first, hits)
            hits -= taken
            self.hits -= taken
            if taken == first:
                self._waiting.popleft()
            else:
                self._waiting[0] = (second, first - taken)
            yield second, taken
        if not self._waiting:
            self.hits = 0.0


def simulate(hour: Hour, event: Event) -> Outcome:
    """Let an hour pass, in which something happens."""
    random = Random(SEED)
    log, spools = [_Queue() for _ in hour.loads], [_Queue() for _ in hour.loads]
    ages: dict[int, float] = {}
    last_late, waiting, spooled, arrived = AT, 0.0, 0.0, 0.0
    workers = list(range(hour.workers))
    by_load = sorted(workers, key=lambda one: -_load(hour, owners(workers), one))
    killed = set(by_load[: min(event.killed, hour.workers - 1)])
    left = [one for one in workers if one not in killed]
    again = dict.fromkeys(range(len(hour.loads)), 0.0)
    for second in range(SECONDS):
        during = AT <= second < AT + event.seconds
        taken_over = bool(killed) and second >= AT + hour.takeover
        owner = owners(left if taken_over and during else workers)
        if killed and second in (AT + hour.takeover, AT + event.seconds):
            before = owners(workers)
            for number, load in enumerate(hour.loads):
                if before[number] != owners(left)[number]:
                    again[number] = load * hour.rate * KEPT_SECONDS
        for number, load in enumerate(hour.loads):
            share = load
            if during and number == hour.largest[0]:
                share += hour.largest[1] * (event.crowd - 1)
            mean = share * hour.rate
            hits = max(0.0, random.gauss(mean, math.sqrt(mean)))
            arrived += hits
            if during and number < event.away * len(hour.loads):
                spools[number].add(second, hits)
                continue
            # A spool is drained beside what comes, as fast as that.
            for came, drained in spools[number].take(hits):
                log[number].add(came, drained)
            log[number].add(second, hits)
        waiting = max(waiting, sum(queue.hits for queue in log))
        spooled = max(spooled, sum(queue.hits for queue in spools))
        if event.store and during:
            continue
        dead = killed if during and not taken_over else set()
        for came, hits in _counted(hour, log, owner, dead, again):
            age = second - came
            ages[age] = ages.get(age, 0.0) + hits
            if age + hour.period > FRESH_SECONDS:
                last_late = second
    return _outcome(hour.period, ages, last_late, waiting, spooled, arrived)


def _load(hour: Hour, owner: Sequence[int], worker: int) -> float:
    return sum(load for number, load in enumerate(hour.loads) if owner[number] == worker)


def _counted(
    hour: Hour,
    log: Sequence[_Queue],
    owner: Sequence[int],
    dead: set[int],
    again: dict[int, float],
) -> Iterator[tuple[int, float]]:
    """Yield what is counted in a second: when it came, and how many hits."""
    of_worker: dict[int, list[int]] = {}
    for number, worker in enumerate(owner):
        of_worker.setdefault(worker, []).append(number)
    for worker, numbers in of_worker.items():
        if worker in dead:
            continue
        left = hour.capacity
        for number in numbers:
            read = min(again[number], left)
            again[number] -= read
            left -= read
        due = sum(log[number].hits for number in numbers)
        part = min(1.0, left / due) if due else 0.0
        for number in numbers:
            yield from log[number].take(log[number].hits * part)


def _outcome(
    period: float,
    ages: Mapping[int, float],
    last_late: int,
    waiting: float,
    spooled: float,
    arrived: float,
) -> Outcome:
    counted = sum(ages.values())
    so_far, p99 = 0.0, 0.0
    for age in sorted(ages):
        so_far += ages[age]
        if so_far >= 0.99 * counted:
            p99 = age + period
            break
    late = max(0, last_late + 1 - AT) if last_late > AT else 0
    worst = max(ages) + period
    return Outcome(p99, worst, late, round(waiting), round(spooled), round(arrived), round(counted))


EVENTS = (
    Event("nothing"),
    Event("the busiest aggregator is killed, and is back after a minute", seconds=60, killed=1),
    Event("three of them at once, or all but one", seconds=60, killed=3),
    Event("a quarter of the log's masters is away for 30 s", seconds=30, away=0.25),
    Event("ClickHouse is away for a minute", seconds=60, store=True),
    Event("the largest site has five times as many, for ten minutes", seconds=600, crowd=5.0),
)


def table(reports: Mapping[str, Report]) -> Iterator[str]:
    """Yield the table of docs/scaling.md."""
    found = reports["kills"].find("Redis: partitions taken over, worst")
    committed = reports["aggregator"].find("server, 50 hits an entry: committed")
    if found is None or committed is None:
        raise ValueError("no result of take-overs, or of hits; measure `kills` and `aggregator`")
    hour = hour_of(committed.value, found.value)
    busiest = _busiest(hour.loads, hour.workers) * hour.rate / hour.capacity
    yield (
        f"{hour.rate:,.0f} hits/s, {PARTITIONS} partitions, {hour.workers} aggregators of"
        f" {hour.capacity:,.0f} hits/s, the busiest {busiest:.0%} busy:"
    )
    yield ""
    yield "| what happens | p99 of the hour | worst | late for | wait in the log | in spools |"
    yield "|---|---|---|---|---|---|"
    for event in EVENTS:
        one = simulate(hour, event)
        yield (
            f"| {event.name} | {one.p99:.0f} s | {one.worst:.0f} s | {one.late} s |"
            f" {_millions(one.waiting)} | {_millions(one.spooled)} |"
        )


def _millions(hits: int) -> str:
    return f"{hits / 1e6:.1f} million" if hits >= 50_000 else f"{hits:,}" if hits else "–"
