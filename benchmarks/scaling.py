"""`python -m benchmarks.scaling [FOLDER]`: what more traffic takes, from the cost of a hit.

Prints the tables of docs/scaling.md from the results in docs/measured, or in another folder.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from benchmarks import skew
from benchmarks.plan import DAY, MONTH_DAYS, Assumed, Costs, Plan
from benchmarks.results import read_all

MEASURED = Path(__file__).parents[1] / "docs" / "measured"
LEVELS = (1e6, 100e6, 10e9)

_ROWS: tuple[tuple[str, Callable[[Plan], float]], ...] = (
    ("hits/s, mean", lambda plan: plan.hits / DAY),
    ("hits/s, busiest hour", lambda plan: plan.peak),
    ("ingest processes", lambda plan: plan.processes(plan.costs.ingest)),
    ("aggregator processes", lambda plan: plan.processes(plan.costs.aggregator)),
    ("API processes", lambda plan: plan.processes(plan.costs.read, plan.assumed.reads)),
    ("log in Redis, GB a copy", lambda plan: plan.log_gigabytes),
    ("Redis masters", lambda plan: plan.redis_nodes),
    ("raw hits on disk, TB a copy", lambda plan: plan.raw_terabytes),
    ("ClickHouse shards of 8 cores", lambda plan: plan.clickhouse_nodes),
    ("network in at the peak, Mbit/s", lambda plan: plan.megabits_in),
    ("network out, TB a month", lambda plan: plan.terabytes_out),
    ("dollars a month: services", lambda plan: plan.dollars()["services"]),
    ("dollars a month: Redis", lambda plan: plan.dollars()["Redis"]),
    ("dollars a month: ClickHouse", lambda plan: plan.dollars()["ClickHouse"]),
    ("dollars a month: traffic out", lambda plan: plan.dollars()["traffic out"]),
    ("dollars a month in all", lambda plan: sum(plan.dollars().values())),
    (
        "dollars for a million hits",
        lambda plan: sum(plan.dollars().values()) / (plan.hits * MONTH_DAYS / 1e6),
    ),
)


def costs_table(costs: Costs) -> Iterator[str]:
    """Return the measured costs as lines of Markdown."""
    yield "| one core | µs | hits/s when it does nothing else |"
    yield "|---|---|---|"
    for name, value in (
        ("ingest", costs.ingest),
        ("Redis, append", costs.redis),
        ("aggregator", costs.aggregator),
        ("ClickHouse, insert", costs.clickhouse),
        ("API, one read of a hot counter", costs.read),
    ):
        yield f"| {name} | {_shown(value)} | {_shown(1e6 / value)} |"


def plan_table(costs: Costs) -> Iterator[str]:
    """Return what each level takes as lines of Markdown."""
    plans = [Plan(hits, costs) for hits in LEVELS]
    yield "| hits a day | " + " | ".join(_words(plan.hits) for plan in plans) + " |"
    yield "|---" * (len(plans) + 1) + "|"
    for name, of in _ROWS:
        yield f"| {name} | " + " | ".join(_shown(of(plan)) for plan in plans) + " |"


def assumed_table() -> Iterator[str]:
    """Return the assumptions as lines of Markdown."""
    yield "| assumed | value |"
    yield "|---|---|"
    for field in msgspec.structs.fields(Assumed):
        yield f"| {field.name.replace('_', ' ')} | {_shown(getattr(Assumed(), field.name))} |"


def skew_table(simulated: Mapping[float, list[skew.Skew]]) -> Iterator[str]:
    """Return how many workers can be kept busy, as lines of Markdown."""
    yield "| exponent | largest site | " + " | ".join(f"P = {p}" for p in skew.PARTITIONS) + " |"
    yield "|---" * (len(skew.PARTITIONS) + 2) + "|"
    for exponent, points in simulated.items():
        cells = " | ".join(f"{point.busy:.1f} ({point.hottest:.1f}×)" for point in points)
        yield f"| {exponent:g} | {points[0].largest:.1%} | {cells} |"


def alone_table(costs: Costs, simulated: Mapping[float, list[skew.Skew]]) -> Iterator[str]:
    """Return from which traffic on the largest site alone fills a worker."""
    yield "| exponent | hits/s of all sites | hits a day, at three times the mean |"
    yield "|---|---|---|"
    worker = 1e6 / costs.aggregator * Assumed().busy
    for exponent, points in simulated.items():
        rate = worker / points[0].largest
        yield f"| {exponent:g} | {_shown(rate)} | {_words(rate * DAY / Assumed().peak)} |"


def _shown(value: float) -> str:
    if value >= 100:
        rounded = round(value, 2 - math.floor(math.log10(value)))
        return f"{rounded:,.0f}"
    return f"{value:.2g}" if value != int(value) else f"{value:.0f}"


def _words(hits: float) -> str:
    return f"{_shown(hits / 1e9)} billion" if hits >= 1e9 else f"{_shown(hits / 1e6)} million"


def main() -> None:
    """Print all tables."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else MEASURED
    costs, simulated = Costs.of(read_all(folder)), skew.simulate()
    for lines in (
        costs_table(costs),
        assumed_table(),
        plan_table(costs),
        skew_table(simulated),
        alone_table(costs, simulated),
    ):
        print("\n".join(lines), end="\n\n")


if __name__ == "__main__":
    main()
