"""`python -m benchmarks.visitors WHAT FOLD MANY`: memory of visitors remembered, or of rows held.

Folds one view of each of so many visitors of ten sites, or of as many pages as have so many counter
rows, and prints by how many bytes of each the resident memory has grown.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Result, exact
from services.aggregator.flush import AnyRows, no_rows
from services.aggregator.folding import Folding, FoldName, choose
from services.log import batch
from services.model.calendar import Grain
from services.model.hit import Hit
from services.runtime import malloc_tuning
from services.store.interface import Row, Store

MANY = 1_000_000
MANY_ROWS = 200_000
"""As many as an aggregator holds by default."""
FORMS: tuple[FoldName, ...] = ("c", "python")
_SITES = 10
_AT, _DAY = 1_790_000_000_000, 20_717
_SPREAD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure both forms, each in a process of its own."""
    part = 10 if quick else 1
    for form in FORMS:
        fold = f"fold in {'C' if form == 'c' else 'Python'}"
        for kind, whole, named in (
            ("visitors", MANY, "a visitor, of {:,} remembered"),
            ("rows", MANY_ROWS, "a counter row, of {:,} held"),
        ):
            many = whole // part
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.visitors", kind, form, str(many)],
                capture_output=True,
                text=True,
                check=True,
            )
            yield exact(f"{fold}: {named.format(many)}", float(done.stdout), "bytes")


def of_visitors(folding: Folding, many: int) -> float:
    """Return the bytes a visitor."""
    fold = folding.new(0)
    before = 0
    for start in range(0, batch.MAX_HITS + many, batch.MAX_HITS):
        if start == batch.MAX_HITS:
            before = _resident()
        _fold(folding, fold, start, _a_view)
    return (_resident() - before) / many


def of_rows(folding: Folding, many: int) -> float:
    """Return the bytes a counter row; each page has one for each grain."""
    return asyncio.run(_of_rows(folding, many))


async def _of_rows(folding: Folding, many: int) -> float:
    fold, store = folding.new(0), _Empty()
    rows: AnyRows | None = None
    before = held = 0
    for start in range(0, batch.MAX_HITS + many // len(Grain), batch.MAX_HITS):
        folded = _fold(folding, fold, start, _a_page)
        rows = rows or no_rows(folded)
        rows.put(await rows.changed(store, [folded]), 10 * many)
        if start == 0:
            before, held = _resident(), len(rows)
    assert rows is not None
    return (_resident() - before) / (len(rows) - held)


class _Empty(Store):
    """A store without rows."""

    prepare = close = stream = insert = limited = None  # type: ignore[assignment]

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        return []


def _fold(folding: Folding, fold: Any, start: int, hit: Callable[[int], Hit]) -> Any:
    hits = [hit(number) for number in range(start, start + batch.MAX_HITS)]
    reads = folding.reads()
    reads.add(start + 1, _AT, batch.encode(hits), len(hits), batch.SCHEMA_VERSION)
    return fold.fold(reads)


def _a_view(number: int) -> Hit:
    visitor = (number + 1) * _SPREAD & _MASK
    return Hit(site=f"site{number % _SITES}", path="/", at=_AT, day=_DAY, visitor=visitor)


def _a_page(number: int) -> Hit:
    path = f"/tin-tuc/bai-viet-so-{number}.html"
    return Hit(site=f"site{number % _SITES}", path=path, at=_AT, day=_DAY, visitor=1)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    malloc_tuning.tune()
    what, form, many = sys.argv[1:4]
    of = of_rows if what == "rows" else of_visitors
    print(of(choose("c" if form == "c" else "python"), int(many)))
