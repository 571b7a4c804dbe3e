"""A log that is full of invented visitors does not fill the aggregator's memory."""

from pathlib import Path

import pytest

from tests.attack.visitors import count_a_full_log

VISITORS = 1_200_000
"""A ninth of what fills the log, in `make attack`, with a smaller limit."""
LIMIT = 320 << 20
"""A hundred more than they take; remembered in dicts, they took more than it on any machine."""


@pytest.mark.timeout(900)
def test_visitors_who_came_once_each_are_counted_within_the_limit_of_memory(tmp_path: Path) -> None:
    counted = count_a_full_log(tmp_path, VISITORS, LIMIT)
    assert counted.visitors == VISITORS
    assert counted.problems() == []
