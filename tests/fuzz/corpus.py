"""What broke something once, or was made to: inputs that must be refused, by name."""

import struct
from collections.abc import Callable
from typing import BinaryIO

_HEAD = b"\xdc\x00\x10"  # a msgpack array of 16
_WIDE = b"\xdc\x00\x11"  # one more than a batch has
_EMPTY = b"\x90"
_CLAIM = b"\xdd\xff\xff\xff\xff"  # an array of 2^32 - 1, of which nothing follows

BATCHES: dict[str, Callable[[], bytes]] = {
    # Ended the aggregator with a RecursionError, at every start again.
    "an unknown column, arrays in arrays": lambda: (
        _WIDE + b"\x01" + _EMPTY * 15 + b"\x91" * 100_000
    ),
    "an unknown column, maps in maps": lambda: _WIDE + b"\x01" + _EMPTY * 15 + b"\x81" * 100_000,
    # Took 120 MB before its length was looked at.
    "a column of ten million": lambda: (
        _HEAD + b"\x01" + _EMPTY + b"\xdd\x00\x98\x96\x80" + b"\x00" * 10_000_000 + _EMPTY * 13
    ),
    "ten million strings": lambda: (
        _HEAD + b"\x01" + b"\xdd\x00\x98\x96\x80" + b"\xa0" * 10_000_000 + _EMPTY * 14
    ),
    "nothing": lambda: b"",
    "claims 2^32 values": lambda: _CLAIM,
    "claims 2^32 strings": lambda: _HEAD + b"\x01" + _CLAIM,
    "claims 2^32 sites": lambda: _HEAD + b"\x01" + _EMPTY + _CLAIM,
    "claims a string of 4 GiB": lambda: _HEAD + b"\x01" + b"\x91\xdb\xff\xff\xff\xff",
    "a surrogate": lambda: _HEAD + b"\x01" + b"\x91\xa3\xed\xa0\x80" + b"\x91\x00" * 14,
    "a time before 1970": lambda: (
        _HEAD + b"\xd3\x80" + b"\x00" * 7 + b"\x91\xa1a" + b"\x91\x00" * 14
    ),
}

_MEBI = 1 << 20


def _sparse(file: BinaryIO) -> None:
    file.truncate(file.tell() + (8 << 30))


SPOOLS: dict[str, Callable[[BinaryIO], object]] = {
    # Was read into memory as a whole.
    "eight GiB of holes": _sparse,
    # Kept the start of ingest busy for hours: each claim was summed up to its end.
    "claims of 8 MiB everywhere": lambda file: file.write(
        (struct.pack(">II", 8 << 20, 0) + b"\x93\xcf") * 1_600_000
    ),
    "claims of 4 GiB everywhere": lambda file: file.write((b"\xff" * 8 + b"\x93\xcf") * 1_600_000),
    "claims of nothing everywhere": lambda file: file.write(bytes(16 * _MEBI)),
    "beginnings of a body everywhere": lambda file: file.write(b"\x93\xcf" * 8 * _MEBI),
    "a whole header again": lambda file: file.write(b"LUOTSPL1" * 2 * _MEBI),
}
"""What stands behind whole records in a file of the spool."""

ACCESS_LOG_LINES: tuple[bytes, ...] = (
    # Kept the import busy for ever: 40 bytes that are not ASCII, read by an expression that tries
    # each of them in two ways.
    b"\xff" * 100,
    b'1.2.3.4 - - [15/Nov/2023:12:00:00 +0700] "GET / HTTP/1.1" 200 1 "' + b"\\xff" * 100,
    b"1.2.3.4 " * 5_000,
    b"",
    b"\x00",
    b"-",
    b'- - - [] "" - -',
    b'1.2.3.4 - - [99/Foo/0000:99:99:99 +9999] "GET / HTTP/1.1" 200 1 "-" "-"',
    b'1.2.3.4 - - [01/Jan/0001:00:00:00 +2359] "GET / HTTP/1.1" 200 1 "-" "-"',
    b'1.2.3.4 - - [31/Dec/9999:23:59:59 -2359] "GET / HTTP/1.1" 200 1 "-" "-"',
    b'1.2.3.4 - - [15/Nov/2023:12:00:00 +0700] "GET / HTTP/1.1" 99999999999 1 "-" "-"',
    b'1.2.3.4 - - [15/Nov/2023:12:00:00 +0700] "\\xff\\xfe\\" HTTP/1.1" 200 1 "\\x" "\\"',
    b'1.2.3.4 - - [15/Nov/2023:12:00:00 +0700] "GET  HTTP/1.1" 200 -',
    b" [" * 20_000,
    b'" "' * 10_000,
    b"\\" * 10_001,
    b'"' * 10_000,
    b"[" * 10_000,
    b"1.2.3.4 " * 5_000,
    b'1.2.3.4 - - [15/Nov/2023:12:00:00 +0700] "GET /' + b"a" * 100_000,
)
