"""The library that build.py compiles, and the signatures of its functions."""

import ctypes
import secrets
from collections.abc import Sequence
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
)
from ctypes import c_void_p as pointer
from itertools import pairwise
from pathlib import Path
from typing import Any

from services.aggregator.kernel.build import LIBRARY, source_digest

REFUSED, NO_MEMORY, OUT_OF_ORDER = -1, -2, -3

_BYTES = POINTER(c_uint8)
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "luot_seed": (None, (c_uint64, c_uint64)),
    "luot_run": (pointer, ()),
    "luot_end_run": (None, (pointer,)),
    "luot_add": (c_int32, (pointer, c_int64, c_int64, c_char_p, c_size_t, c_uint32)),
    "luot_hits": (c_uint32, (pointer,)),
    "luot_repeated": (c_uint32, (pointer,)),
    "luot_entries": (c_uint32, (pointer, pointer)),
    "luot_days": (c_int, (pointer, pointer)),
    "luot_page_set": (pointer, ()),
    "luot_end_page_set": (None, (pointer,)),
    "luot_add_pages": (c_int64, (pointer, pointer)),
    "luot_text_count": (c_uint32, (pointer,)),
    "luot_texts_at": (pointer, (pointer, pointer)),
    "luot_text_numbers": (pointer, (pointer, c_int)),
    "luot_state": (pointer, ()),
    "luot_end_state": (None, (pointer,)),
    "luot_see": (c_int, (pointer, pointer)),
    "luot_position": (c_int64, (pointer,)),
    "luot_remembered": (c_uint64, (pointer,)),
    "luot_online": (c_uint32, (pointer, c_int64, pointer, c_uint32)),
    "luot_peaks": (c_uint32, (pointer, pointer, c_uint32)),
    "luot_site_count": (c_uint32, (pointer,)),
    "luot_site_name": (pointer, (pointer, c_uint32, POINTER(c_uint32))),
    "luot_pack": (c_int64, (pointer, POINTER(_BYTES))),
    "luot_unpack": (c_int, (pointer, c_char_p, c_size_t)),
    "luot_changes": (pointer, (pointer, c_uint32)),
    "luot_end_changes": (None, (pointer,)),
    "luot_missing_rows": (None, (pointer, pointer)),
    "luot_apply": (c_int64, (pointer, pointer)),
    "luot_changes_end": (c_int64, (pointer,)),
    "luot_changed_sites": (c_uint32, (pointer, pointer)),
    "luot_changes_text": (pointer, (pointer, c_uint32, POINTER(c_uint32))),
    "luot_changed_column": (c_int64, (pointer, c_uint32, c_int, POINTER(_BYTES))),
    "luot_rows": (pointer, ()),
    "luot_end_rows": (None, (pointer,)),
    "luot_rows_held": (c_uint32, (pointer,)),
    "luot_find_rows": (c_int64, (pointer, pointer)),
    "luot_hold": (c_int, (pointer, pointer, pointer)),
    "luot_put": (c_int, (pointer, pointer, c_uint64, c_uint64, c_uint64)),
    "luot_count": (c_uint64, (pointer, c_uint32, c_uint32, c_uint32)),
    "luot_column": (
        c_int64,
        (pointer, c_uint32, c_uint32, c_uint32, c_int, c_int, c_uint64, POINTER(_BYTES)),
    ),
    "luot_free": (None, (pointer,)),
    "luot_source": (c_char_p, ()),
}
_AMONG_THREADS = ("luot_column", "luot_changed_column")
"""Functions slow enough to release the GIL for."""


class KernelError(Exception):
    """The library cannot be used; the message says why."""


class Library:
    """The functions of a library, by their names without the prefix."""

    def __init__(self, path: Path) -> None:
        """Load it. Raises KernelError."""
        try:
            keeping, releasing = ctypes.PyDLL(str(path)), ctypes.CDLL(str(path))
        except OSError as error:
            raise KernelError(str(error)) from error
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(releasing if name in _AMONG_THREADS else keeping, name, None)
            if function is None:
                raise KernelError(f"{path} has no {name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("luot_"), function)
        source = self.source().decode()
        if source != source_digest():
            raise KernelError(f"{path} was compiled from other sources: install Luot again")
        self.seed(secrets.randbits(64), secrets.randbits(64))

    def __getattr__(self, name: str) -> Any:
        """For type checkers only: a function of the table above."""
        raise AttributeError(name)

    def taken(self, bytes_at: Any, size: int) -> bytes:
        """Return a copy of bytes that the library made, and free them. Raises as `checked`."""
        taken = ctypes.string_at(bytes_at, checked(size))
        self.free(bytes_at)
        return taken

    def written(self, write: Any, *what: Any) -> bytes:
        """Return a column in ClickHouse's native format, from a function. Raises as `checked`."""
        bytes_at = _BYTES()
        return self.taken(bytes_at, write(*what, byref(bytes_at)))

    def texts(self, count: int, write: Any, of: int) -> list[str]:
        """Return strings of an object, by their numbers."""
        begins = (c_uint64 * (count + 1))()
        at = write(of, begins)
        whole = ctypes.string_at(at, begins[count]) if begins[count] else b""
        return [whole[begin:end].decode() for begin, end in pairwise(begins)]


def checked(result: int) -> int:
    """Return a non-negative result. Raises MemoryError or ValueError for negative ones."""
    if result >= 0:
        return result
    if result == NO_MEMORY:
        raise MemoryError("the fold has no memory")
    raise ValueError(f"the fold refuses what it was given ({result})")


def array_of(pointers: Sequence[int]) -> Any:
    """Return an array of pointers."""
    return (pointer * len(pointers))(*pointers)


def load(path: Path = LIBRARY) -> Library:
    """Return the library. Raises KernelError."""
    if not path.exists():
        raise KernelError(f"{path} was not compiled")
    return Library(path)
