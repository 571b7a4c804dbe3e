"""Opens a log that may be compressed: gzip, bzip2, xz or zstd, recognised by its first bytes."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast

from backports import zstd

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError)
"""What reading a damaged file raises."""

_KINDS: dict[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": zstd.ZstdFile,
}
MAGIC_BYTES = max(map(len, _KINDS))


def unpacked(file: BinaryIO, head: bytes) -> BinaryIO:
    """Return a file's decompressed content; it begins with `head`, and nothing was read yet."""
    for magic, opened in _KINDS.items():
        if head.startswith(magic):
            return cast("BinaryIO", opened(file))
    return file
