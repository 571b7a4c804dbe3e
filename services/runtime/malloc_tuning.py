"""Tunes the C library's allocator for a process whose memory comes and goes in large pieces."""

import ctypes
from contextlib import suppress

# From glibc's malloc.h; other libraries lack mallopt, or ignore these numbers.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8

_LARGE = 128 * 1024
_ARENAS = 2


def tune() -> None:
    """Return large blocks to the system as soon as they are freed.

    By default, glibc raises the threshold for this whenever a large block is freed: the lists of a
    flush would then come from one heap, which fragmentation soon makes several times as large as
    its content. Call it once, before there are threads.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _LARGE)
        mallopt(_ARENA_MAX, _ARENAS)
