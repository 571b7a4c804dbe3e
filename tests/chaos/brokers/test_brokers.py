"""The short form of `python -m tests.chaos.brokers`: some seconds in which brokers break."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.brokers.run import run

SESSION_SECONDS = 3.0
"""A broker that is gone is replaced sooner than Kafka's own nine seconds."""


@pytest.mark.timeout(1800)
def test_whichever_brokers_are_killed_every_accepted_hit_is_counted_once(
    tmp_path: Path, record_seed: Callable[[], int]
) -> None:
    result = asyncio.run(
        run(
            tmp_path,
            seed=record_seed(),
            faults_wanted=6,
            seconds=0,
            rate=100,
            session_seconds=SESSION_SECONDS,
            say=sys.stdout.write,
        )
    )
    assert result.problems == []
    assert result.accepted > 300
    said = "\n".join(result.faults)
    # The first of each lane happens in every run, however short.
    assert "kill -9 leader" in said
    assert "kill -9 of every ingest with" in said
