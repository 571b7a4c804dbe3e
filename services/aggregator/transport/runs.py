"""Runs: consecutive entries of the log in one Faust message.

Faust spends some 70 µs on a message, whatever its content. An ingest process with few connections
writes entries of a few hits; a run of them costs as much as one.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
from faust.types import Message

from services.log.admin import place
from services.log.interface import Record

RUN = "run"
"""Header of a message that is a run."""


class RunEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of the log as an agent sees it; see Record.

    position  where it was first appended, even if this is a copy from another log
    """

    position: int
    time_ms: int
    value: bytes
    headers: dict[str, bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[RunEntry]).decode


def gather(
    records: Sequence[Record], limit: int, kind: Callable[[Record], Any]
) -> Iterator[Record]:
    """Yield the records of one partition, neighbours merged into runs of up to `limit` bytes.

    Only records of the same kind are merged. A run has the position of its last record, so
    acknowledging it acknowledges all of them.
    """
    for _, alike in groupby(records, kind):
        run: list[Record] = []
        size = 0
        for record in alike:
            if run and size + len(record.value) > limit:
                yield _one(run)
                run, size = [], 0
            run.append(record)
            size += len(record.value)
        yield _one(run)


def _one(run: Sequence[Record]) -> Record:
    last = run[-1]
    if len(run) == 1:
        return last
    entries = [
        RunEntry(place(of.headers, of.position), of.time_ms, of.value, of.headers) for of in run
    ]
    return Record(last.partition, last.position, last.time_ms, _encode(entries), {RUN: b"1"})


def entries(message: Message) -> list[RunEntry]:
    """Return the entries of a message, in order; a single one if it is not a run."""
    headers = dict(message.headers or {})
    if RUN in headers:
        return _decode(message.value)
    at = place(headers, message.offset)
    return [RunEntry(at, round(message.timestamp * 1000), message.value, headers)]
