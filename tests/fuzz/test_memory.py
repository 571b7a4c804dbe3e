"""Broken input leaves nothing behind: memory stays as it is, however much of it comes."""

import logging
import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import memory

INPUTS = 3_000
MOST = 500.0
"""Bytes an input. An object that is kept is at least a hundred; the corpus is more."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", memory.targets(Path()))
def test_broken_input_leaves_nothing_in_memory(name: str, tmp_path: Path) -> None:
    target, good, bad = memory.targets(tmp_path)[name]

    found = memory.feed(target, good, bad, INPUTS)

    assert found.slope < MOST
    if name != "access log lines":  # these are counted as broken, and none is refused
        assert found.refused > INPUTS / 10


def test_what_is_kept_is_seen() -> None:
    kept: list[mmap.mmap] = []

    def keep(_: bytes) -> None:
        # Pages of its own: what the process has freed before must not hide the growth.
        kept.append(mmap.mmap(-1, mmap.PAGESIZE))
        kept[-1][0] = 1

    found = memory.feed(keep, b"x" * 200, [b"y" * 200], INPUTS)
    assert found.slope > MOST
