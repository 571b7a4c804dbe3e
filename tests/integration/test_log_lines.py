"""Ids of requests, from the proxy to the answer; and starts that fail say why in one line."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer
from tests.servers.services import Service
from tests.servers.system import BROWSER, System

GIVEN = "5f2b9c3e8a71d0466b1f2a9c0e4d7788"


def id_of(answer: httpx.Response) -> str | None:
    found: str | None = answer.headers.get("X-Request-Id")
    return found


def test_the_id_of_a_proxy_comes_back_with_every_answer(luot: System) -> None:
    luot.add_site("ids")
    headers = {"X-Request-Id": GIVEN, "User-Agent": BROWSER}
    page = {"n": "pageview", "d": "ids", "u": "https://ids.example/a"}
    ingest, api = luot.ingest.url, luot.api.url
    image = {"d": "ids", "u": "https://ids.example/a"}
    with httpx.Client(headers=headers) as proxy:
        answers = [
            proxy.post(f"{ingest}/e", json=page),
            proxy.post(f"{ingest}/e", content=b"no JSON"),
            proxy.get(f"{ingest}/hit.gif", params=image),
            proxy.head(f"{ingest}/hit.gif"),
            proxy.get(f"{ingest}/nothing"),
            proxy.get(f"{api}/api/counter/ids"),
            # Cached by now, and once more unchanged.
            proxy.get(f"{api}/api/counter/ids"),
            proxy.get(f"{api}/api/admin/sites"),
            proxy.get(f"{api}/nothing"),
        ]
        tag = answers[6].headers["ETag"]
        answers.append(proxy.get(f"{api}/api/counter/ids", headers={"If-None-Match": tag}))
    assert [id_of(answer) for answer in answers] == [GIVEN] * len(answers)


@pytest.mark.parametrize("value", ["203.0.113.7", "x", "a" * 65, "Mozilla/5.0 (X11)"])
def test_an_id_that_may_be_anything_does_not(luot: System, value: str) -> None:
    headers = {"X-Request-Id": value}
    assert id_of(httpx.get(f"{luot.ingest.url}/nothing", headers=headers)) is None
    assert id_of(httpx.get(f"{luot.api.url}/nothing", headers=headers)) not in (None, value)


def test_one_request_does_not_pass_its_id_on_to_the_next_of_its_connection(luot: System) -> None:
    with httpx.Client() as client:
        for url in (f"{luot.ingest.url}/e", f"{luot.ingest.url}/nothing"):
            assert id_of(client.post(url, headers={"X-Request-Id": GIVEN})) == GIVEN
            assert id_of(client.post(url)) is None
        made = [id_of(client.get(f"{luot.api.url}/nothing")) for _ in range(3)]
    assert None not in made
    assert len(set(made)) == 3


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse"), "the-right-one") as server:
        yield server


@pytest.mark.parametrize("name", ["api", "aggregator"])
def test_a_wrong_password_of_the_store_is_said_in_one_line(
    name: str, redis: RedisServer, closed: ClickHouseServer, tmp_path: Path
) -> None:
    service = Service(
        name,
        tmp_path,
        LUOT_REDIS_URL=redis.url,
        LUOT_CLICKHOUSE_URL=closed.url.replace("the-right-one", "the-wrong-one"),
        LUOT_LOG_FORMAT="json",
    )
    service.start(wait=False)
    try:
        deadline = time.monotonic() + 90
        while "LUOT_CLICKHOUSE_URL names user and password" not in service.log.read_text():
            assert time.monotonic() < deadline, service.log.read_text()
            time.sleep(0.05)
    finally:
        service.stop()
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    wrong = [line for line in lines if line["level"] not in ("INFO", "DEBUG")]
    assert "cannot run: Wrong password for user default" in wrong[0]["message"]
    assert "Traceback" not in service.log.read_text()
    assert "the-wrong-one" not in service.log.read_text()
