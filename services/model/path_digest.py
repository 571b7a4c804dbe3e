"""What stands for a path where texts would take too much memory."""

from hashlib import md5


def path_digest(path: str) -> int:
    """Return 64 bits of a path: the first 8 bytes of its MD5 (RFC 1321), the highest first.

    `halfMD5` of ClickHouse is the same number, so the store can make many at once. Somebody who
    makes two paths of one digest gets one of them counted as if it were known, and nothing else.
    """
    return int.from_bytes(md5(path.encode(), usedforsecurity=False).digest()[:8], "big")
