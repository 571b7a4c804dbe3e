"""One running system for the tests that do not break it, and a Redis for one that does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.redis import RedisServer
from tests.servers.system import System


# One for each file: idle beside the tests of other files, each of five cost 70 s of processor time.
@pytest.fixture(scope="module")
def luot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("luot"))
    try:
        yield system.start()
    finally:
        system.stop()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own."""
    with RedisServer(tmp_path / "redis") as server:
        yield server
