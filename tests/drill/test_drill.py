"""The short form of `make drill`: two pages and a ticket, by faults of three kinds."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.drill.alerts import SHORT
from tests.drill.run import drill


@pytest.mark.timeout(900)
def test_an_alert_fires_reaches_its_receiver_and_is_resolved(tmp_path: Path) -> None:
    rows = asyncio.run(
        drill(tmp_path, factor=30, say=lambda text: sys.stdout.write(f"{text}\n"), wanted=SHORT)
    )
    assert [row.problem for row in rows if row.problem] == []
    assert {row.alert for row in rows} == set(SHORT)
