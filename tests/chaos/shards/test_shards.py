"""The short form of `python -m tests.chaos.shards`: some seconds in which servers of a cluster go.

Always the same faults: new ones are drawn in the long form.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.chaos.shards.run import run


@pytest.mark.timeout(1800)
def test_whichever_servers_of_a_cluster_go_every_accepted_hit_is_counted_once(
    tmp_path: Path,
) -> None:
    result = asyncio.run(
        run(tmp_path, seed=1, faults_wanted=6, seconds=0, rate=50, say=sys.stdout.write)
    )
    assert result.problems == []
    assert result.accepted > 100
    # The first of the lane happens in every run, however short.
    assert "was behind" in "\n".join(result.faults)
