"""`python -m benchmarks.documents`: puts what was measured into docs/.

Takes the results of a folder (benchmarks/results), keeps them in docs/measured, and writes the
plots and the generated parts of the pages from those. A test holds the pages to them.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from benchmarks import busy_hour, goals, scaling, skew, svg, year_page
from benchmarks.plan import Costs
from benchmarks.results import Report, read_all

DOCS = Path(__file__).parents[1] / "docs"
MEASURED = DOCS / "measured"
RESULTS = Path(__file__).parent / "results"

_BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Reports = Mapping[str, Report]
Lines = Callable[[Reports], Iterable[str]]


def machine(reports: Reports) -> Iterable[str]:
    """Return what each subject was measured on."""
    yield "| subject | measured | commit | processor | cores | load before | Python |"
    yield "|---|---|---|---|---|---|---|"
    for name, report in reports.items():
        about = report.machine
        commit = f"{about['commit']} and {about['changed_files']} changed files"
        yield (
            f"| {name} | {report.measured_at[:10]} | {commit} | {about['cpu']} | {about['cores']}"
            f" | {about['load_before']} | {about['python']} |"
        )


def subject(name: str) -> Lines:
    """Return what makes the table of one subject."""

    def lines(reports: Reports) -> Iterable[str]:
        if name not in reports:
            yield "Not measured yet."
            return
        yield "| what | median | lowest to highest | × ceiling |"
        yield "|---|---|---|---|"
        for result in reports[name].results:
            spread = ""
            if result.runs > 1:
                spread = " to ".join(
                    goals.number(value, result.unit) for value in (result.low, result.high)
                )
            times = "" if result.times is None else f"{result.times:.2f}"
            value = goals.number(result.value, result.unit)
            yield f"| {result.what} | {value} | {spread} | {times} |"

    return lines


BLOCKS: dict[str, Lines] = {
    "goals": goals.table,
    "machine": machine,
    "costs": lambda reports: scaling.costs_table(Costs.of(reports)),
    "assumed": lambda _: scaling.assumed_table(),
    "plan": lambda reports: scaling.plan_table(Costs.of(reports)),
    "skew": lambda _: scaling.skew_table(skew.simulate()),
    "busy_hour": busy_hour.table,
    "year": year_page.table,
    "alone": lambda reports: scaling.alone_table(Costs.of(reports), skew.simulate()),
    **{
        name: subject(name)
        for name in (
            *(
                "ingest",
                "aggregator",
                "flushes",
                "api",
                "busy_sites",
                "growth",
                "stats",
                "table",
                "reports",
            ),
            *(
                "size",
                "memory",
                "page",
                "loading",
                "freshness",
                "kills",
                "logs",
                "installations",
                "takeover",
                "visitors",
                "replicas",
                "upgrade",
            ),
        )
    },
}


def fill(text: str, reports: Reports) -> str:
    """Return a page with its generated parts written anew."""

    def block(found: re.Match[str]) -> str:
        start, name, end = found.groups()
        return start + "\n".join(BLOCKS[name](reports)) + "\n" + end

    return _BLOCK.sub(block, text)


def plots(reports: Reports) -> dict[str, str]:
    """Return the plots by file name, of what was measured."""
    drawn = {
        "skew.svg": svg.chart(
            "Workers that one log can keep busy",
            svg.Axis("partitions", logarithmic=True),
            svg.Axis("workers"),
            {
                f"exponent {exponent:g}": [(point.partitions, point.busy) for point in points]
                for exponent, points in skew.simulate().items()
            },
        )
    }
    for file, name, title, x, y in (
        ("entry-size.svg", "size", "Memory of Redis", "hits an entry", "bytes/hit"),
        ("entry-speed.svg", "aggregator", "Aggregator on one core", "hits an entry", "hits/s"),
        ("freshness.svg", "freshness", "Freshness, p99", "hits/s", "s"),
    ):
        if lines := _curves(reports, name):
            drawn[file] = svg.chart(title, svg.Axis(x, logarithmic=True), svg.Axis(y), lines)
    for curve, points in _curves(reports, "growth").items():
        drawn[f"growth-{curve.split()[0]}.svg"] = svg.chart(
            "Processor time of a read from the store",
            svg.Axis(curve, logarithmic=True),
            svg.Axis("ms"),
            {"API and store": points},
        )
    return drawn | dict(year_page.plots(reports))


def _curves(reports: Reports, name: str) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for result in reports[name].results if name in reports else ():
        if result.curve is not None and result.at is not None:
            found.setdefault(result.curve, []).append((result.at, result.value))
    return {curve: sorted(points) for curve, points in found.items() if len(points) > 1}


def pages() -> list[Path]:
    """Return the pages that have generated parts."""
    return [page for page in sorted(DOCS.glob("*.md")) if _BLOCK.search(page.read_text("utf-8"))]


def main() -> None:
    """Keep the results, and write pages and plots."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.documents", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"[{RESULTS}]")
    taken = read_all(parser.parse_args().results)
    if quick := [name for name, report in taken.items() if report.quick]:
        parser.error(f"{', '.join(quick)}: measured with --quick; expected full runs")
    MEASURED.mkdir(exist_ok=True)
    for report in taken.values():
        report.write(MEASURED)
    reports = read_all(MEASURED)
    for file, drawn in plots(reports).items():
        (DOCS / "img" / file).write_text(drawn, "utf-8")
    for page in pages():
        page.write_text(fill(page.read_text("utf-8"), reports), "utf-8")


if __name__ == "__main__":
    main()
