"""The log's batches: bytes and time a hit, by the number of hits in a batch."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from benchmarks import workload
from benchmarks.measure import Result, compare, exact, runs
from services.log import batch
from services.model.hit import Hit

T = TypeVar("T")

SIZES = (1, 10, 100, 500)

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure size, encoding and decoding.

    The ceiling is msgpack of one plain list a hit: what it costs to write the same values down
    without the columns and the dictionary of a batch, and to read them without any check.
    """
    hits = workload.hits(2_000 if quick else 20_000)
    rows = [list(msgspec.structs.astuple(hit)) for hit in hits]
    for size in SIZES:
        packed = sum(len(_pack(group)) for group in cut(rows, size)) / len(hits)
        stored = sum(len(batch.encode(group)) for group in cut(hits, size)) / len(hits)
        yield exact(f"plain lists of {size}", packed, "bytes/hit")
        yield exact(f"batch of {size}", stored, "bytes/hit")
    for size in SIZES:
        yield from _times(hits, rows, size, runs(quick))


def cut(values: Sequence[T], size: int) -> list[Sequence[T]]:
    """Cut a sequence into pieces of `size`; the last may be shorter."""
    return [values[start : start + size] for start in range(0, len(values), size)]


def _times(
    hits: Sequence[Hit], rows: Sequence[list[object]], size: int, count: int
) -> list[Result]:
    groups, plain = cut(hits, size), cut(rows, size)
    encoded = [batch.encode(group) for group in groups]
    packed = [_pack(group) for group in plain]
    ceiling = f"plain lists of {size}: "
    return [
        *compare(
            {
                ceiling + "encode": lambda: [_pack(group) for group in plain],
                f"encode batches of {size}": lambda: [batch.encode(group) for group in groups],
            },
            len(hits),
            count,
            ceiling + "encode",
        ),
        *compare(
            {
                ceiling + "decode": lambda: [_unpack(group) for group in packed],
                f"decode batches of {size}": lambda: [batch.decode(group) for group in encoded],
            },
            len(hits),
            count,
            ceiling + "decode",
        ),
    ]
