"""The fold in C for tests: as installed, or compiled once; skipped without a compiler."""

import tempfile
from functools import cache
from pathlib import Path

from services.aggregator.folding import Folding, KernelFolding, PythonFolding
from services.aggregator.kernel.build import LIBRARY, CompilerError, compile_library
from services.aggregator.kernel.library import KernelError, Library, load
from tests.require import missing


@cache
def _found() -> Library | None:
    try:
        return load()
    except KernelError:
        pass
    try:
        with tempfile.TemporaryDirectory() as folder:
            return load(compile_library(Path(folder) / LIBRARY.name))
    except CompilerError:
        return None


def kernel() -> Library:
    """Return the fold in C."""
    library = _found()
    if library is None:
        missing("a compiler for C")
    return library


FOLDS = ("python", "c")


def folding(name: str) -> Folding:
    """Return the folds of one of these names."""
    return KernelFolding(kernel()) if name == "c" else PythonFolding()
