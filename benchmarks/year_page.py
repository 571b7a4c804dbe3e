"""What docs/performance.md shows of the year: a table by month, and curves."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from benchmarks import goals, svg
from benchmarks.measure import Result
from benchmarks.results import Report

SUBJECT = "year"


class Plot(NamedTuple):
    """A chart: what it shows of its curves, and which those are."""

    file: str
    title: str
    unit: str
    curves: tuple[str, ...]
    take: str = "value"


PLOTS = (
    Plot(
        "year-times.svg",
        "Cost, times that of an empty store",
        "×",
        (
            "counter read",
            "counter read, of visitors",
            "read of ten pages",
            "flush",
            "first flush after a start",
        ),
        "times",
    ),
    Plot(
        "year-upkeep.svg",
        "Processor time of what is seldom done",
        "ms",
        ("start of an aggregator", "recount of three days", "publishing the paths"),
    ),
    Plot(
        "year-hit.svg",
        "Processor time of a hit",
        "µs",
        ("hit, aggregator's flush", "hit, server with all merges"),
    ),
    Plot(
        "year-disk.svg",
        "Disk",
        "MB",
        ("disk of counters", "disk of hits", "disk of visitors"),
    ),
    Plot(
        "year-parts.svg",
        "Active parts",
        "parts",
        ("active parts of counters", "active parts of hits", "active parts of visitors"),
    ),
    Plot(
        "year-panels.svg",
        "Slowest panel of the largest site",
        "ms",
        ("slowest panel, month", "slowest panel, year"),
    ),
)


def table(reports: Mapping[str, Report]) -> Iterable[str]:
    """Return the lines of a Markdown table: a row a curve, a column a month."""
    if SUBJECT not in reports:
        yield "Not measured yet."
        return
    curves = by_curve(reports)
    months = sorted({month for points in curves.values() for month in points})
    yield f"| what | {' | '.join(f'{month:g} months' for month in months)} |"
    yield f"|---|{'---|' * len(months)}"
    for curve, points in curves.items():
        cells = [_cell(points[month]) if month in points else "" for month in months]
        yield f"| {curve} | {' | '.join(cells)} |"


def plots(reports: Mapping[str, Report]) -> Iterator[tuple[str, str]]:
    """Yield the charts with their files."""
    curves = by_curve(reports)
    for plot in PLOTS:
        lines = {
            name: [(month, getattr(point, plot.take)) for month, point in points.items()]
            for name in plot.curves
            if len(points := curves.get(name, {})) > 1
        }
        if lines:
            yield plot.file, svg.chart(plot.title, svg.Axis("months"), svg.Axis(plot.unit), lines)


def by_curve(reports: Mapping[str, Report]) -> dict[str, dict[float, Result]]:
    """Return the results of the year by curve and month, both in order."""
    curves: dict[str, dict[float, Result]] = {}
    for result in reports[SUBJECT].results if SUBJECT in reports else ():
        if result.curve is not None and result.at is not None:
            curves.setdefault(result.curve, {})[result.at] = result
    return {name: dict(sorted(points.items())) for name, points in curves.items()}


def _cell(result: Result) -> str:
    value = goals.number(result.value, result.unit)
    return value if result.times is None else f"{value} ({result.times:.2f} ×)"
