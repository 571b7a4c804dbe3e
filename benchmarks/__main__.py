"""`python -m benchmarks [--quick] [SUBJECT …]`: measure, print a table, write JSON.

What a subject has measured so far is in SUBJECT.json.partial, which stays if it fails.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from benchmarks import (
    agents,
    aggregator,
    api,
    batches,
    busy_sites,
    client,
    flushes,
    fold,
    freshness,
    growth,
    imports,
    ingest,
    installations,
    kills,
    loading,
    logs,
    machine,
    memory,
    page,
    replicas,
    reports,
    site_table,
    size,
    stats,
    steps,
    takeover,
    upgrade,
    visitors,
    year,
)
from benchmarks.measure import Result
from benchmarks.results import Report


class Measure(Protocol):
    """What every subject's file has."""

    def __call__(self, *, quick: bool) -> Iterator[Result]: ...


SUBJECTS: dict[str, Measure] = {
    "batches": batches.measure,
    "fold": fold.measure,
    "agents": agents.measure,
    "steps": steps.measure,
    "client": client.measure,
    "ingest": ingest.measure,
    "imports": imports.measure,
    "aggregator": aggregator.measure,
    "flushes": flushes.measure,
    "api": api.measure,
    "busy_sites": busy_sites.measure,
    "growth": growth.measure,
    "stats": stats.measure,
    "reports": reports.measure,
    "table": site_table.measure,
    "size": size.measure,
    "memory": memory.measure,
    "page": page.measure,
    "loading": loading.measure,
    "freshness": freshness.measure,
    "kills": kills.measure,
    "logs": logs.measure,
    "installations": installations.measure,
    "replicas": replicas.measure,
    "takeover": takeover.measure,
    "upgrade": upgrade.measure,
    "visitors": visitors.measure,
    "year": year.measure,
}
LONG = frozenset({"year"})
"""They take hours: measured only where they are named."""
DEFAULT_FOLDER = Path("benchmarks/results")
WIDTH = 110


def main() -> None:
    """Measure the subjects that are asked for."""
    options = _options()
    described = machine.describe()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(msgspec.json.format(msgspec.json.encode(described)).decode())
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.subjects or [name for name in SUBJECTS if name not in LONG]:
        started = time.monotonic()
        try:
            report = _measured(name, options, described)
        except pytest.skip.Exception as missing:
            console.print(f"{name}: not measured: {missing}")
            continue
        console.print(_table(name, report.results, time.monotonic() - started))
        report.write(options.out)
    console.print(f"written to {options.out}")


def _measured(name: str, options: argparse.Namespace, described: dict[str, Any]) -> Report:
    """Measure a subject, and keep what there is after each result."""
    results: list[Result] = []
    report = _report(name, options, described, results)
    for result in SUBJECTS[name](quick=options.quick):
        results.append(result)
        report = _report(name, options, described, results)
        report.write_partial(options.out)
    return report


def _report(
    name: str, options: argparse.Namespace, described: dict[str, Any], results: list[Result]
) -> Report:
    return Report(
        subject=name,
        measured_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        quick=options.quick,
        machine=described,
        results=results,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument(
        "--quick", action="store_true", help="fewer hits and runs, only to see that it works"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=DEFAULT_FOLDER,
        help=f"folder for the results [{DEFAULT_FOLDER}]",
    )
    options = parser.parse_args()
    for name in options.subjects:
        if name not in SUBJECTS:
            parser.error(f"{name!r} is not a subject; expected one of {', '.join(SUBJECTS)}")
    return options


def _table(name: str, results: list[Result], seconds: float) -> Table:
    table = Table(title=f"{name} ({seconds:.0f} s)", title_justify="left")
    table.add_column("what", overflow="fold")
    for column in ("median", "lowest", "highest", "× ceiling"):
        table.add_column(column, justify="right")
    table.add_column("unit")
    for result in results:
        spread = (result.low, result.high) if result.runs > 1 else ()
        table.add_row(
            result.what,
            _number(result.value),
            *([_number(value) for value in spread] or ["", ""]),
            "" if result.times is None else f"{result.times:.2f}",
            result.unit,
        )
    return table


def _number(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


if __name__ == "__main__":
    main()
