"""`python -m benchmarks [--quick] [SUBJECT …]`: measure, print a table, write JSON."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import batches, client, fold, freshness, ingest, machine
from benchmarks.measure import Result


class Measure(Protocol):
    """What every subject's file has."""

    def __call__(self, *, quick: bool) -> Iterator[Result]: ...


SUBJECTS: dict[str, Measure] = {
    "batches": batches.measure,
    "fold": fold.measure,
    "ingest": ingest.measure,
    "client": client.measure,
    "freshness": freshness.measure,
}
DEFAULT_FILE = Path("build/benchmarks.json")


def main() -> None:
    """Measure the subjects that are asked for."""
    options = _options()
    described = machine.describe()
    console = Console()
    console.print(msgspec.json.format(msgspec.json.encode(described)).decode())
    measured: dict[str, list[Result]] = {}
    for name in options.subjects or SUBJECTS:
        started = time.monotonic()
        measured[name] = list(SUBJECTS[name](quick=options.quick))
        console.print(_table(name, measured[name], time.monotonic() - started))
    report = {
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": options.quick,
        "machine": described,
        "subjects": measured,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    console.print(f"written to {options.json}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="fewer hits and runs: does it work")
    parser.add_argument("--json", type=Path, default=DEFAULT_FILE, help=f"[{DEFAULT_FILE}]")
    options = parser.parse_args()
    for name in options.subjects:
        if name not in SUBJECTS:
            parser.error(f"{name!r} is not a subject; expected one of {', '.join(SUBJECTS)}")
    return options


def _table(name: str, results: list[Result], seconds: float) -> Table:
    table = Table(title=f"{name} ({seconds:.0f} s)", title_justify="left")
    table.add_column("what")
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
