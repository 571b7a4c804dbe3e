"""What every test may use."""

import os
import random
import shutil
from collections.abc import Callable, Iterator

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import HealthCheck, settings

from services.ingest.salt_memory import default_folder

# No test fails on a time: a busy machine is not a fault.
settings.register_profile("luot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("luot")
# httpx waits for 5 s unless told; a test that wants an answer sooner than this asks for it.
for _part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _part, 60.0)


@pytest.fixture(scope="session", autouse=True)
def _no_salts_left_behind() -> Iterator[None]:
    """Remove the salts of every log that was new in this run from the machine's memory."""
    folder = default_folder()
    before = {path.name for path in folder.glob("*")}
    yield
    for path in folder.glob("*"):
        if path.name not in before:
            shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def record_seed(request: pytest.FixtureRequest) -> Callable[[], int]:
    """Return a seed, new in each run; a failure prints it, and TEST_SEED repeats the run."""
    seed = int(os.environ.get("TEST_SEED") or random.randrange(1 << 32))
    request.node.add_report_section("setup", "seed", f"TEST_SEED={seed}")
    return lambda: seed
