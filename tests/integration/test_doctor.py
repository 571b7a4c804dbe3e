"""`luot doctor` on a running system: what is right, what is wrong, what to do about it."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.state import keys
from services.state.recent_hits import WINDOW_MS
from services.store.meta import last_done
from services.store.open import open_store
from tests.patience import rounds
from tests.servers.redis import free_port
from tests.servers.system import TOKEN, System

CHECKS = {
    "log": {
        *("Redis", "eviction", "append-only file", "memory", "fsync", "clock", "partitions"),
        *("aggregator", "lag", "dead entries"),
    },
    "store": {
        *("ClickHouse", "clock", "schema", "partitions", "restore", "disk", "parts", "sites"),
        *("recount", "pages", "periods"),
    },
    "ingest": {
        "spool",
        "spools of other logs",
        "proxies",
        "budgets",
        "room",
        "spooled hits",
        "countries",
    },
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of these tests alone: they break it."""
    system = System(tmp_path_factory.mktemp("system"))
    try:
        system.start()
        system.add_site("mytho")
        for number in range(20):
            system.hit("mytho", f"/{number % 3}", **{"X-Forwarded-For": f"203.0.113.{number}"})
        system.counter_when("mytho", total=20)
        yield system
    finally:
        system.stop()


def doctor(*arguments: str, **environ: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", *arguments], env={"COLUMNS": "400", **environ})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def stores(system: System) -> dict[str, str]:
    url = system.accounts.redis_url("luot", system.redis.port)
    return {"LUOT_REDIS_URL": url, **system.store_of("luot")}


def by_name(said: str) -> dict[str, dict[str, Any]]:
    return {f"{check['part']} {check['name']}": check for check in json.loads(said)}


def test_a_healthy_system_has_nothing_wrong(system: System, tmp_path: Path) -> None:
    code, said = doctor("--json", LUOT_SPOOL=str(tmp_path), **stores(system))
    found = by_name(said)
    assert [check for check in found.values() if check["ok"] is False] == []
    assert code == 0
    assert set(found) == {f"{part} {name}" for part, names in CHECKS.items() for name in names}
    # 18.16 is too old to tell of its disks; everything else was looked at.
    assert [name for name, check in found.items() if check["ok"] is None] == ["store disk"]

    code, said = doctor(**stores(system))
    assert code == 0
    assert "✓ log: eviction: maxmemory-policy noeviction" in said
    assert "– ingest: spool: LUOT_SPOOL names no folder on this machine" in said


def test_a_running_api_is_asked_where_there_is_only_a_token(system: System) -> None:
    code, said = doctor("--json", LUOT_URL=system.api.url, LUOT_TOKEN=TOKEN)
    assert (code, by_name(said)["store recount"]["ok"]) == (0, True)
    code, said = doctor(LUOT_URL=system.api.url, LUOT_TOKEN="not the token at all")
    assert (code, "answers 401" in said) == (2, True)
    answer = httpx.get(f"{system.api.url}/api/admin/doctor")
    assert answer.status_code == 401
    answer = httpx.get(f"{system.api.url}/api/admin/backup")
    assert answer.status_code == 401


def test_a_row_that_differs_is_named_until_it_is_right_again(system: System) -> None:
    def write(more: int) -> tuple[Any, int]:
        return asyncio.run(tamper(system.clickhouse.url, more))

    day, visits = write(7)
    code, said = doctor(**stores(system))
    assert code == 1
    assert "✗ store: recount: 1 site-days of the last 3 days differ" in said
    assert f"mytho, day of {day}: 27 views and {visits} visits, recounted 20 and {visits}" in said
    assert "✗ store: pages" in said
    assert "✗ store: periods" in said
    write(-7)
    assert doctor(**stores(system))[0] == 0


def test_a_spool_of_another_log_is_named_and_a_wiped_redis_learns_again_which_log_it_is(
    system: System, tmp_path: Path
) -> None:
    def identity() -> bytes:
        with system.redis.client() as redis:
            for _ in rounds(0.1):
                if (value := redis.get("hits:identity")) is not None:
                    return bytes(value)
                time.sleep(0.1)
        raise AssertionError("nobody says which log this is")

    before = identity()
    with system.redis.client() as redis:
        redis.delete("hits:identity")
    assert identity() == before
    with system.redis.client() as redis:
        redis.set("hits:identity", "foreign")
        for _ in rounds(0.1):
            if redis.get("hits:identity") == before:
                break
            time.sleep(0.1)
    assert identity() == before

    folder = tmp_path / "0123456789abcdef"
    folder.mkdir()
    (folder / "00000001.spool").write_bytes(b"hits")
    (tmp_path / "0123456789abcdef.log").write_text("theirs\n")
    check = by_name(doctor("--json", LUOT_SPOOL=str(tmp_path), **stores(system))[1])[
        "ingest spools of other logs"
    ]
    assert check["ok"] is None
    assert f"this log is {before.decode()}" in check["found"]
    assert "0123456789abcdef (of theirs)" in check["found"]
    assert "start the ingest of that Luot" in check["advice"]


def test_the_verdict_of_the_last_run_is_noted_in_the_store(system: System) -> None:
    def noted() -> dict[str, int]:
        return asyncio.run(last(system.clickhouse.url))

    asyncio.run(tamper(system.clickhouse.url, 7))
    before = int(time.time() * 1000)
    _, said = doctor("--json", **stores(system))
    asyncio.run(tamper(system.clickhouse.url, -7))
    wrong = [check for check in by_name(said).values() if check["ok"] is False]
    assert noted()[last_done.DOCTOR_FAILURES] == len(wrong) > 0
    assert before <= noted()[last_done.DOCTOR_FINISHED_MS] <= int(time.time() * 1000)

    # The running API notes what it was asked for.
    _, said = doctor("--json", LUOT_URL=system.api.url, LUOT_TOKEN=TOKEN)
    assert noted()[last_done.DOCTOR_FAILURES] == 0, said


async def last(store_url: str) -> dict[str, int]:
    store = open_store(store_url)
    try:
        return await last_done.load(store)
    finally:
        await store.close()


async def tamper(store_url: str, more: int) -> tuple[Any, int]:
    """Add to the views of the one day there is; return the day, and its visits."""
    store = open_store(store_url)
    ((day, views, visits, position),) = await store.execute(
        "SELECT start, argMax(views, position), argMax(visits, position), max(position)"
        " FROM counters WHERE site = 'mytho' AND grain = 'day' AND path = '' GROUP BY start"
    )
    row = {"site": ["mytho"], "grain": ["day"], "start": [day], "path": [""], "visits": [visits]}
    await store.insert("counters", {**row, "views": [views + more], "position": [position + 1]})
    await store.close()
    return day, visits


def test_what_is_wrong_with_the_log_is_told_with_advice(system: System) -> None:
    with system.redis.client() as redis:
        redis.xadd("hits:dead", {"reason": "not a batch", "b": "x"})
        redis.config_set("maxmemory-policy", "allkeys-lru")
        redis.config_set("appendfsync", "everysec")
        redis.hdel("sites", "mytho")
        redis.set("hits:partitions", 16)
        code, said = doctor("--json", **stores(system))
        redis.set("hits:partitions", 8)
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("appendfsync", "always")
        redis.delete("hits:dead")
    found = by_name(said)
    assert code == 1
    wrong = {name for name, check in found.items() if check["ok"] is False}
    # The API may have published its sites again by the time of the look.
    assert wrong - {"store sites"} == {
        *("log eviction", "log fsync", "log dead entries", "log partitions")
    }
    assert "throws away hits" in found["log eviction"]["advice"]
    assert "the log has 16, LUOT_PARTITIONS=8" in found["log partitions"]["found"]


def test_hits_that_are_accepted_and_not_counted_are_told(system: System) -> None:
    def spooled() -> dict[str, Any]:
        return by_name(doctor("--json", **stores(system))[1])["ingest spooled hits"]

    addresses = (f"203.0.113.{number}" for number in range(256))
    counted = 0

    def is_taken() -> bool:
        nonlocal counted
        answer = system.hit("mytho", "/", **{"X-Forwarded-For": next(addresses)})
        assert (answer.status_code, answer.text) == (202, "ok")
        # As soon as ingest has seen that the log is full, the site has its part of it.
        taken = "X-Luot-Dropped" not in answer.headers
        counted += taken
        return taken

    with system.redis.client() as redis:
        redis.config_set("maxmemory", 1)
        try:
            taken = sum(is_taken() for _ in range(5))
            while not taken:
                # On a busy machine ingest may see it before the first hit comes: once more.
                redis.config_set("maxmemory", 0)
                until(is_taken)
                until(lambda: spooled()["ok"])
                redis.config_set("maxmemory", 1)
                taken = sum(is_taken() for _ in range(5))
            until(lambda: spooled()["found"].startswith(f"{taken} hits are accepted"))
            assert doctor(**stores(system))[0] == 1
            (note,) = httpx.get(f"{system.ingest.url}/readyz").json()["notes"]
            assert "hits go to the spool" in note
        finally:
            redis.config_set("maxmemory", 0)
    until(lambda: spooled()["ok"])
    system.counter_when("mytho", total=20 + counted, metric="views")


def test_readers_of_an_address_that_sends_too_much_are_told(system: System) -> None:
    # The API publishes its sites again after the tests before.
    until(lambda: by_name(doctor("--json", **stores(system))[1])["store sites"]["ok"])
    with system.redis.client() as redis:
        window = keys.over_budget(int(time.time() * 1000) // WINDOW_MS)
        redis.hset(window, "mytho", 7)
        code, said = doctor("--json", **stores(system))
        redis.delete(window)
    check = by_name(said)["ingest budgets"]
    assert (code, check["ok"]) == (0, None), said
    assert check["found"].startswith("7 hits of mytho were refused, or count for no visit")


@pytest.mark.parametrize(
    ("kafka", "server", "room"),
    [(False, "Redis", "give Redis more memory"), (True, "Kafka", "raise LUOT_SITE_BYTES")],
)
def test_the_log_is_called_by_its_name_in_what_is_advised_about_ingest(
    system: System,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kafka: bool,
    server: str,
    room: str,
) -> None:
    monkeypatch.setattr("services.doctor.run.MIN_FREE_BYTES", 1 << 62)
    now = int(time.time() * 1000)
    given = {"LUOT_LOG_URL": f"kafka://127.0.0.1:{free_port()}/hits"} if kafka else {}
    with system.redis.client() as redis:
        window = keys.over_room(now // WINDOW_MS)
        redis.hset(window, "mytho", 7)
        redis.hset(keys.SPOOLED, "a process", f"{now} 7 1000")
        _, said = doctor("--json", LUOT_SPOOL=str(tmp_path), **stores(system), **given)
        redis.delete(window)
        redis.hdel(keys.SPOOLED, "a process")
    found = by_name(said)
    advice = [found[f"ingest {name}"]["advice"] for name in ("room", "spooled hits", "spool")]
    assert advice[0].startswith(f"if these are real readers, {room}")
    assert f"find out why {server} does not take them" in advice[1]
    assert f"the spool takes hits while {server} is away" in advice[2]
    assert ("Redis" in "".join(advice)) is not kafka


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 240
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_dead_aggregator_is_noticed(system: System) -> None:
    system.aggregator.stop()
    try:
        found = by_name(doctor("--json", **stores(system))[1])
        assert found["log aggregator"]["ok"] is False
        assert found["log aggregator"]["found"] == "0 running, 0 of 8 partitions owned"
    finally:
        system.aggregator.start()


def test_stores_that_are_away_are_told_and_nothing_fails(system: System) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    code, said = doctor(
        "--json",
        LUOT_REDIS_URL=f"redis://{nowhere}",
        LUOT_CLICKHOUSE_URL=f"clickhouse://{nowhere}/luot",
    )
    found = by_name(said)
    assert code == 1
    assert found["log Redis"]["ok"] is found["store ClickHouse"]["ok"] is False
    assert "cannot be reached" in found["log Redis"]["found"]


def test_a_setting_that_is_none_is_told(system: System) -> None:
    code, said = doctor(LUOT_PARTITION="8", **stores(system))
    assert (code, "LUOT_PARTITION='8' is not a setting" in said) == (2, True)
