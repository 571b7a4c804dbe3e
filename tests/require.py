"""Tests that need a server or a browser: skipped where it is missing, unless all are required."""

import importlib
import os
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test because something is not installed; with LUOT_TEST_REQUIRE_ALL=1, fail it."""
    if os.environ.get("LUOT_TEST_REQUIRE_ALL") == "1":
        pytest.fail(f"{what} is not installed, and LUOT_TEST_REQUIRE_ALL=1 requires it")
    pytest.skip(f"{what} is not installed")


def beside(path: Path) -> Path:
    """Return a file of real input beside the project; skip without it, whatever is required.

    What has to be shown is shown by the input in the project: a clone of it is all one needs.
    """
    if not path.exists():
        pytest.skip(f"{path.name}, real input beside the project, is not there")
    return path


def package(name: str) -> Any:
    """Return a package that only tests use; skip if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(f"the package {name}")


def installed(name: str) -> str | None:
    """Return the path of a program, None when it is not installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin")


def program(*names: str) -> str:
    """Return the path of the first of these programs that is installed; skip if none is."""
    for name in names:
        if path := installed(name):
            return path
    missing(" or ".join(names))


def library(pattern: str) -> str:
    """Return the path of a file that a package of the system has under /usr/lib; skip without."""
    for path in sorted(Path("/usr/lib").glob(pattern)):
        return str(path)
    missing(f"/usr/lib/{pattern}")
