"""`python -m benchmarks.visitors FOLD MANY`: the memory of visitors that a fold remembers.

Folds one view of each of so many visitors of ten sites, and prints by how many bytes of each the
resident memory has grown.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Result, exact
from services.aggregator.folding import Folding, FoldName, choose
from services.log import batch
from services.model.hit import Hit
from services.runtime import malloc_tuning

MANY = 1_000_000
FORMS: tuple[FoldName, ...] = ("c", "python")
_SITES = 10
_AT, _DAY = 1_790_000_000_000, 20_717
_SPREAD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure both forms, each in a process of its own."""
    many = MANY // 10 if quick else MANY
    for form in FORMS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.visitors", form, str(many)],
            capture_output=True,
            text=True,
            check=True,
        )
        what = f"fold in {'C' if form == 'c' else 'Python'}: a visitor, of {many:,} remembered"
        yield exact(what, float(done.stdout), "bytes")


def grown(folding: Folding, many: int) -> float:
    """Return the bytes a visitor."""
    fold = folding.new(0)
    before = 0
    for start in range(0, batch.MAX_HITS + many, batch.MAX_HITS):
        if start == batch.MAX_HITS:
            before = _resident()
        hits = [_hit(number) for number in range(start, start + batch.MAX_HITS)]
        reads = folding.reads()
        reads.add(start + 1, _AT, batch.encode(hits), len(hits), batch.SCHEMA_VERSION)
        fold.fold(reads)
    return (_resident() - before) / many


def _hit(number: int) -> Hit:
    visitor = (number + 1) * _SPREAD & _MASK
    return Hit(site=f"site{number % _SITES}", path="/", at=_AT, day=_DAY, visitor=visitor)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    malloc_tuning.tune()
    form, many = sys.argv[1:3]
    print(grown(choose("c" if form == "c" else "python"), int(many)))
