"""What every test may use."""

import functools
import gc
import os
import random
import shutil
from collections.abc import Callable, Iterator

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG, create_ssl_context
from httpx._transports import default as httpx_transports
from hypothesis import HealthCheck, settings

from services.ingest import salt_memory
from services.runtime import gc_tuning

# The machine's memory is for all: each process of tests has a folder of its own there. It is set
# before the settings of ingest are read, whose default it is; processes get it as LUOT_SALTS.
SALTS = salt_memory.default_folder() / f"tests-{os.getpid()}"
salt_memory.default_folder = lambda: SALTS

# No test fails on a time: a busy machine is not a fault.
settings.register_profile("luot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("luot")
# httpx waits for 5 s unless told; a test that wants an answer sooner than this asks for it.
for _part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _part, 60.0)
# It reads the certificates of the system for each client, and httpx.get() makes one for each
# request: 25 ms of processor time, in tests that ask twenty times a second whether a server is up.
vars(httpx_transports)["create_ssl_context"] = functools.cache(create_ssl_context)


# Tests hold many objects and leave little garbage that refers to itself.
gc_tuning.begin()


def pytest_collection_finish() -> None:
    """Let no garbage collection look at the thousands of tests that were collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_salts_left_behind() -> Iterator[None]:
    """Remove the salts of this process of tests, and of no other that still runs."""
    yield
    shutil.rmtree(SALTS, ignore_errors=True)


@pytest.fixture
def record_seed(request: pytest.FixtureRequest) -> Callable[[], int]:
    """Return a seed, new in each run; a failure prints it, and TEST_SEED repeats the run."""
    seed = int(os.environ.get("TEST_SEED") or random.randrange(1 << 32))
    request.node.add_report_section("setup", "seed", f"TEST_SEED={seed}")
    return lambda: seed
