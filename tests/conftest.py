"""What every test may use."""

import os
import random
from collections.abc import Callable

import pytest


@pytest.fixture
def record_seed(request: pytest.FixtureRequest) -> Callable[[], int]:
    """Return a seed, new in each run; a failure prints it, and TEST_SEED repeats the run."""
    seed = int(os.environ.get("TEST_SEED") or random.randrange(1 << 32))
    request.node.add_report_section("setup", "seed", f"TEST_SEED={seed}")
    return lambda: seed
