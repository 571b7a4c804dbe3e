"""The short form of `make chaos`: two dozen seconds in which everything breaks."""

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.run import run


@pytest.mark.timeout(1800)
def test_whatever_is_killed_every_accepted_hit_is_counted_once(
    tmp_path: Path, record_seed: Callable[[], int]
) -> None:
    seed = record_seed()
    result = asyncio.run(
        run(tmp_path, seed=seed, faults_wanted=8, seconds=25, rate=200, say=sys.stdout.write)
    )
    assert result.problems == []
    assert result.accepted > 300
    assert len(result.faults) >= 8
    # It was more than an easy run: requests were repeated, spools left, and others had readers.
    assert result.repeated >= result.broken > 20
    assert re.search(r"with [1-9]\d* bytes in the spools", "\n".join(result.faults))
    assert result.theirs > 50
    assert min(result.imported, result.undone) >= 2
    assert result.erased >= 2
