"""Represents paths where strings would take too much memory: 64-bit digests in sorted arrays."""

import sys
from array import array
from bisect import bisect_left
from hashlib import md5

DIGEST_BYTES = 8


def path_digest(path: str) -> int:
    """Return the first 8 bytes of a path's MD5 (RFC 1321), the highest first.

    ClickHouse's `halfMD5` is the same number, so the store can compute many at once. Somebody who
    finds a collision gets one of the paths counted as if it were known, and nothing else.
    """
    return int.from_bytes(md5(path.encode(), usedforsecurity=False).digest()[:8], "big")


def holds(digests: "array[int]", digest: int) -> bool:
    """Tell whether sorted digests contain this one."""
    at = bisect_left(digests, digest)
    return at < len(digests) and digests[at] == digest


def packed(digests: "array[int]") -> bytes:
    """Return digests as bytes, the lowest byte of each first on every machine."""
    return _little_endian(digests).tobytes()


def unpacked(octets: bytes) -> "array[int]":
    """Return the digests of `packed`; what is left of a part of one is ignored."""
    whole = len(octets) - len(octets) % DIGEST_BYTES
    return _little_endian(array("Q", octets[:whole]))


def _little_endian(digests: "array[int]") -> "array[int]":
    if sys.byteorder == "little":
        return digests
    swapped = array("Q", digests)
    swapped.byteswap()
    return swapped
