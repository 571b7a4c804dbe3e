"""How far the clock of the day is moved, and a plugin of pytest that moves it before each test."""

import os
import struct
import time
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

FILE = "MOVED_CLOCK"
"""The file with how far the clock is moved: nanoseconds, as moved.c reads it."""
BEGIN = "MOVED_CLOCK_BEGIN"
"""The time at which tests begin."""
_NUMBERS = struct.Struct("=qq")


def _read(file: Path) -> list[int]:
    """Return by how many nanoseconds the clock is moved, and when that began by the true one."""
    return list(_NUMBERS.unpack(file.read_bytes())) if file.exists() else [0, time.time_ns()]


def write(file: Path, at: datetime) -> None:
    """Move the clock so that it is a time now."""
    by, began = _read(file)
    true = time.time_ns() - by
    # In place: processes have it in their memory.
    with file.open("r+b" if file.exists() else "wb") as out:
        out.write(_NUMBERS.pack(round(at.timestamp()) * 1_000_000_000 - true, began))


def _begin() -> None:
    at = datetime.fromisoformat(os.environ[BEGIN])
    while at.timestamp() <= time.time():
        at += timedelta(days=1)
    write(Path(os.environ[FILE]), at)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin a test at the time of day."""
    _begin()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any],
) -> Generator[None, object, object]:
    """Begin it there again, when what it shares with others took long to start."""
    made = yield
    if fixturedef.scope != "function":
        _begin()
    return made
