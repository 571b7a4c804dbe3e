"""Unpacks gzip as it arrives, in pieces of bounded size, so a zip bomb takes no memory."""

import zlib
from collections.abc import Iterator

PIECE_BYTES = 64 * 1024
_MAGIC = b"\x1f\x8b"
_WITH_HEADER = 31
"""For zlib: the largest window, with a gzip header."""


class Gunzip:
    """One layer of gzip, or none: the first bytes tell."""

    def __init__(self) -> None:
        self._head = b""
        self._is_plain = False
        self._unpacked: zlib._Decompress | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what is in these bytes, in pieces of 64 KiB at most. Raises zlib.error."""
        if not self._is_plain and self._unpacked is None:
            chunk = self._head + chunk
            if len(chunk) < len(_MAGIC):
                self._head = chunk
                return
            self._head = b""
            self._is_plain = not chunk.startswith(_MAGIC)
            self._unpacked = None if self._is_plain else zlib.decompressobj(_WITH_HEADER)
        if self._unpacked is None:
            yield chunk
            return
        while True:
            piece = self._unpacked.decompress(chunk, PIECE_BYTES)
            if piece:
                yield piece
            chunk = self._unpacked.unconsumed_tail
            if self._unpacked.eof:
                # A file may hold several members, one after another, with zeros at the end.
                chunk = self._unpacked.unused_data.lstrip(b"\0")
                if not chunk:
                    return
                self._unpacked = zlib.decompressobj(_WITH_HEADER)
            elif not chunk and len(piece) < PIECE_BYTES:
                return

    def rest(self) -> bytes:
        """Return what was held back: the only byte of a one-byte text."""
        return self._head
