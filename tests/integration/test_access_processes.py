"""Two API processes: what one takes away is gone in the other."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer
from tests.servers.services import Service
from tests.servers.system import TOKEN

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = "bánh mì và cà phê"
WHOAMI = "/api/admin/whoami"
GONE_SECONDS = 120.0


@pytest.fixture(scope="module")
def apis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    directory: Path = tmp_path_factory.mktemp("apis")
    redis = RedisServer(directory / "redis")
    clickhouse = ClickHouseServer(directory / "clickhouse")
    apis: list[Service] = []
    try:
        redis.start()
        clickhouse.start()
        for number in range(2):
            own = directory / str(number)
            own.mkdir()
            api = Service(
                "api",
                own,
                LUOT_REDIS_URL=redis.url,
                LUOT_CLICKHOUSE_URL=clickhouse.url,
                LUOT_ADMIN_TOKEN=TOKEN,
            )
            apis.append(api.start())
        yield apis[0], apis[1]
    finally:
        for api in apis:
            api.stop()
        clickhouse.kill()
        redis.stop()


def gone_after(client: httpx.Client, headers: dict[str, str]) -> float:
    """Return after how many seconds somebody is refused."""
    begun = time.monotonic()
    while client.get(WHOAMI, headers=headers).status_code != 401:
        assert time.monotonic() < begun + GONE_SECONDS
        time.sleep(0.02)
    return time.monotonic() - begun


def known_by(client: httpx.Client, headers: dict[str, str]) -> None:
    """Return once a process knows somebody whom another one has just made."""
    begun = time.monotonic()
    while (answer := client.get(WHOAMI, headers=headers)).status_code == 401:
        assert time.monotonic() < begun + GONE_SECONDS
        time.sleep(0.02)
    assert answer.json()["name"] == "lan"


def test_a_token_that_one_process_revokes_stops_working_in_the_other(
    apis: tuple[Service, Service],
) -> None:
    with httpx.Client(base_url=apis[0].url) as first, httpx.Client(base_url=apis[1].url) as second:
        made = first.post("/api/admin/tokens", json={"sites": ["*"]}, headers=ADMIN).json()
        token = {"Authorization": f"Bearer {made['token']}"}
        deadline = time.monotonic() + GONE_SECONDS
        while second.get(WHOAMI, headers=token).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)

        assert first.delete(f"/api/admin/tokens/{made['id']}", headers=ADMIN).status_code == 204
        assert first.get(WHOAMI, headers=token).status_code == 401
        assert gone_after(second, token) < GONE_SECONDS


def test_a_session_that_one_process_ends_is_over_in_the_other_at_once(
    apis: tuple[Service, Service],
) -> None:
    with httpx.Client(base_url=apis[0].url) as first, httpx.Client(base_url=apis[1].url) as second:
        user = {"name": "lan", "password": PASSWORD, "sites": ["*"]}
        assert first.post("/api/admin/users", json=user, headers=ADMIN).status_code == 201
        signed = first.post("/api/admin/sign-in", json={"name": "lan", "password": PASSWORD})
        session = {"Cookie": f"luot={signed.cookies['luot']}"}
        known_by(second, session)

        another = {"password": "cà phê và bánh mì"}
        changed = first.put("/api/admin/users/lan/password", json=another, headers=ADMIN)
        assert changed.status_code == 204
        assert second.get(WHOAMI, headers=session).status_code == 401
