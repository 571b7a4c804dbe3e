"""The format of a segment: a header, then records, each with its length and checksum.

    header   magic (8 bytes), number of partitions (4), CRC-32 of both (4)
    record   length of the body (4), CRC-32 of length and body (4), body: SpoolRecord as msgpack

Integers are big-endian. A record that a crash has torn fails its checksum.
"""

import struct
from collections.abc import Iterator, Sequence
from zlib import crc32

import msgspec

from services.log.entries import LogEntry
from services.model.partition import MAX_PARTITIONS

MAGIC = b"LUOTSPL1"
MAX_BODY = 8 << 20
"""Many times the size of one group commit."""

_HEADER = struct.Struct(">8sII")
_FRAME = struct.Struct(">II")
HEADER_BYTES = _HEADER.size
_BODY_START = b"\x93\xcf"
"""msgpack: an array of three, the first of them a time in 64 bits."""
MAX_RECORD = MAX_BODY + _FRAME.size
_MAX_WORK = 256 << 20
"""Bytes that may be checksummed in search of a whole record."""
_LOOK = 4 << 10
"""The cost of a candidate that is not a record, in the same unit."""


class SpoolRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The entries of one group commit.

    written    when it was spooled, in ms since 1970
    attempted  whether an append was tried before, with an unknown outcome
    """

    written: int
    attempted: bool
    entries: list[LogEntry]

    @property
    def hits(self) -> int:
        """How many hits it holds."""
        return sum(entry.hits for entry in self.entries)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SpoolRecord)


def header(partitions: int) -> bytes:
    """Return the header of a segment of a log with this many partitions."""
    start = struct.pack(">8sI", MAGIC, partitions)
    return start + struct.pack(">I", crc32(start))


def read_header(buffer: bytes) -> int | None:
    """Return the number of partitions, or None when this is not the start of a segment."""
    if len(buffer) < HEADER_BYTES:
        return None
    magic, partitions, checksum = _HEADER.unpack_from(buffer)
    if magic != MAGIC or checksum != crc32(buffer[: HEADER_BYTES - 4]):
        return None
    return int(partitions) if 1 <= partitions <= MAX_PARTITIONS else None


def encode(written: int, entries: Sequence[LogEntry], *, attempted: bool) -> bytes:
    """Return a record as it stands in a segment."""
    body = _encoder.encode(SpoolRecord(written, attempted, list(entries)))
    if len(body) > MAX_BODY:
        raise ValueError(f"a record of {len(body)} bytes, expected at most {MAX_BODY}")
    length = struct.pack(">I", len(body))
    return length + struct.pack(">I", crc32(body, crc32(length))) + body


def read(buffer: bytes, at: int) -> tuple[SpoolRecord, int] | None:
    """Return the record at an offset and where it ends; None when no whole record is there."""
    body_at = at + _FRAME.size
    if body_at > len(buffer):
        return None
    length, checksum = _FRAME.unpack_from(buffer, at)
    # Checked before anything is copied: a damaged file may claim huge lengths many times.
    if not 1 <= length <= min(MAX_BODY, len(buffer) - body_at):
        return None
    body = buffer[body_at : body_at + length]
    if crc32(body, crc32(buffer[at : at + 4])) != checksum:
        return None
    try:
        return _decoder.decode(body), body_at + length
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def read_all(buffer: bytes, at: int = 0) -> Iterator[tuple[SpoolRecord, int]]:
    """Yield the records from an offset with their ends, up to the first that is not whole."""
    while (record := read(buffer, at)) is not None:
        yield record
        at = record[1]


def whole_behind(buffer: bytes, at: int) -> bool:
    """Tell whether a whole record follows an offset, which a crash cannot cause.

    The search is bounded; returns True when there are too many candidates to check.
    """
    left = _MAX_WORK
    at = buffer.find(_BODY_START, at + _FRAME.size + 1)
    while at != -1 and left > 0:
        if read(buffer, at - _FRAME.size) is not None:
            return True
        claimed = int.from_bytes(buffer[at - _FRAME.size : at - 4])
        left -= max(claimed, _LOOK) if claimed <= MAX_BODY else _LOOK
        at = buffer.find(_BODY_START, at + 1)
    return left <= 0
