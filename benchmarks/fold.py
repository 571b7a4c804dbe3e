"""The fold: from decoded batches to changed counter rows, without the store."""

from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks import workload
from benchmarks.batches import cut
from benchmarks.measure import Result, compare, runs
from services.aggregator.fold import PartitionFold, apply, changes
from services.log import batch
from services.log.batch import Batch
from services.log.redis import entry_ids

SIZES = (10, 100, 500)
Log = Sequence[tuple[int, int, Batch]]


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure the fold against the decoding of the same batches, which nobody can do without."""
    hits = workload.hits(2_000 if quick else 20_000)
    for size in SIZES:
        groups = cut(hits, size)
        encoded = [batch.encode(group) for group in groups]
        log: Log = [
            (entry_ids.encode(group[-1].at, number), group[-1].at, batch.decode(payload))
            for number, (group, payload) in enumerate(zip(groups, encoded, strict=True))
        ]
        ceiling = f"decode batches of {size}"
        yield from compare(
            {
                ceiling: partial(decode, encoded),
                f"fold batches of {size} into rows": partial(fold, log),
            },
            len(hits),
            runs(quick),
            ceiling,
        )


def fold(log: Log) -> int:
    """Fold a log as one flush; return how many rows changed."""
    state = PartitionFold(0)
    return len(apply({}, changes([state.fold([entry]) for entry in log])))


def decode(payloads: Sequence[bytes]) -> list[Batch]:
    """Decode the payloads of a log."""
    return [batch.decode(payload) for payload in payloads]
