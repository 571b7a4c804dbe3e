"""Servers for the tests of backup, restore and rewind."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.servers.clickhouse import DATABASE, ClickHouseServer
from tests.servers.redis import RedisServer

_numbers = count(1)


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture
def other_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "other-redis") as server:
        yield server


@pytest.fixture
def embedded_url(tmp_path: Path) -> str:
    return f"chdb://{tmp_path}/chdb"


@pytest.fixture
def server_url(clickhouse_server: ClickHouseServer) -> str:
    """A database of this test alone, which is not there yet."""
    return clickhouse_server.url.replace(f"/{DATABASE}", f"/luot_{next(_numbers)}")
