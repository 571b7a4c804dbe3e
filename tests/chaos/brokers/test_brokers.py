"""The short form of `python -m tests.chaos.brokers`: some seconds in which brokers break.

Always the same faults: new ones are drawn in the long form, which has not yet run often enough.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.chaos.brokers.run import run

SEED = 1
SESSION_SECONDS = 3.0
"""A broker that is gone is replaced sooner than Kafka's own nine seconds."""


@pytest.mark.timeout(1800)
def test_whichever_brokers_are_killed_every_accepted_hit_is_counted_once(
    tmp_path: Path,
) -> None:
    result = asyncio.run(
        run(
            tmp_path,
            seed=SEED,
            faults_wanted=3,
            seconds=0,
            rate=100,
            session_seconds=SESSION_SECONDS,
            say=sys.stdout.write,
        )
    )
    assert result.problems == []
    assert result.accepted > 200
    # Both happen twice once everything is healed.
    assert result.imported >= 2
    assert result.undone >= 2
    said = "\n".join(result.faults)
    # The first of each lane happens in every run, however short.
    assert "kill -9 leader" in said
    assert "kill -9 of every ingest with" in said
