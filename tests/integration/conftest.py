"""One running system for the tests that do not break it."""

from collections.abc import Iterator

import pytest

from tests.servers.system import System


@pytest.fixture(scope="session")
def luot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("luot"))
    try:
        yield system.start()
    finally:
        system.stop()
