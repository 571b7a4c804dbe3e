"""One running system for the fuzzing over HTTP."""

from collections.abc import Iterator

import pytest

from tests.servers.system import System


@pytest.fixture(scope="package")
def luot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("fuzz"))
    try:
        system.start()
        system.add_site("fuzz", public_top=True)
        yield system
    finally:
        system.stop()
