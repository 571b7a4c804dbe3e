"""Every way in which a Redis that runs can refuse a hit: none is lost, none is out of order."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.ingest.app import Ingest
from services.ingest.settings import IngestSettings
from tests.integration.ingest.conftest import SITE, Browser, Hand, Log
from tests.patience import rounds
from tests.servers.redis import RedisServer

PASSWORD = "the password of before"
KEYS = 20_000
LOAD_MICROSECONDS = 250


class Refusing:
    """A server that can be made to refuse, and the connection of its operator."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.log = Log(server)
        self.operator: redis.Redis = self.log.redis
        self.url = server.url

    def hang_up(self) -> None:
        """End every connection but the operator's: the next ones are looked at anew."""
        self.operator.client_kill_filter(_type="normal", skipme=True)

    def set_password(self, password: str) -> None:
        self.operator.config_set("requirepass", password)
        self.operator.connection_pool.connection_kwargs["password"] = password
        self.hang_up()

    def allow(self, rule: str) -> None:
        cast("Any", self.operator).execute_command("ACL", "SETUSER", "default", rule)

    def fail_to_save(self) -> None:
        gone = self.folder / "gone"
        gone.mkdir()
        self.operator.config_set("dir", str(gone))
        gone.rmdir()
        self.operator.config_set("save", "3600 1")
        self._save()

    def save_again(self) -> None:
        gone = self.folder / "gone"
        gone.mkdir()
        self.operator.config_set("dir", str(gone))
        self._save()

    def _save(self) -> None:
        self.operator.bgsave()
        while self.operator.info("persistence")["rdb_bgsave_in_progress"]:
            pass


Change = Callable[[Refusing], Any]
NOTHING: Change = lambda _: None  # noqa: E731
REFUSALS: dict[str, tuple[str, Change, Change, Change]] = {
    "MISCONF: its last snapshot failed": (
        "unable to persist to disk",
        NOTHING,
        Refusing.fail_to_save,
        Refusing.save_again,
    ),
    "NOAUTH: it wants a password now": (
        "authenticate",
        NOTHING,
        lambda server: server.set_password(PASSWORD),
        lambda server: server.set_password(""),
    ),
    "WRONGPASS: its password was changed": (
        "invalid username-password pair",
        lambda server: server.set_password(PASSWORD),
        lambda server: server.set_password("another"),
        lambda server: server.set_password(PASSWORD),
    ),
    "NOPERM: the account may not append": (
        "no permissions",
        NOTHING,
        lambda server: server.allow("-evalsha"),
        lambda server: server.allow("+evalsha"),
    ),
}


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Refusing]:
    server = RedisServer(tmp_path / "redis", None, "--enable-protected-configs", "yes").start()
    refusing = Refusing(server, tmp_path)
    refusing.log.publish(SITE)
    yield refusing
    refusing.operator.close()
    server.stop()


def ingest_of(url: str, clock: Hand, spool: Path) -> Ingest:
    return Ingest(IngestSettings.read({}, redis_url=url, spool=spool), clock=clock)


async def spooled(browser: Browser) -> float:
    text = (await browser.http.get("/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith("luot_spool_hits ")]
    return float(line.split()[1])


async def views(browser: Browser, clock: Hand, first: int, last: int) -> None:
    for number in range(first, last):
        clock.ms += 1
        assert (await browser.view(f"https://mytho.example/{number}")).status_code == 202


async def assert_in_order(log: Log, count: int) -> None:
    """All hits are in the log soon, each once, in the order in which they came."""
    for _ in rounds(0.02):
        paths = [hit.path for hit in log.hits()]
        if len(paths) >= count:
            break
        await asyncio.sleep(0.02)
    assert paths == [f"/{number}" for number in range(count)]
    (stream,) = log.redis.scan_iter("hits:{?}")
    found: Any = log.redis.xrange(stream)
    sequences = [int(fields[b"s"]) for _, fields in found]
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize("name", REFUSALS)
async def test_hits_that_redis_refuses_are_spooled_and_counted_when_it_is_mended(
    refusing: Refusing, clock: Hand, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    said, before, refuse, mend = REFUSALS[name]
    before(refusing)
    password = refusing.operator.connection_pool.connection_kwargs.get("password") or ""
    url = refusing.url.replace("redis://", f"redis://:{password.replace(' ', '%20')}@", 1)
    ingest = ingest_of(url if password else refusing.url, clock, tmp_path / "spool")
    await ingest.start()
    browser = Browser(ingest, "203.0.113.9")
    try:
        await views(browser, clock, 0, 3)
        assert await spooled(browser) == 0
        refuse(refusing)
        await views(browser, clock, 3, 20)
        await browser.ingest.maintain()
        assert await spooled(browser) == 17
        assert len(refusing.log.hits()) == 3
        ready = await browser.http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ok")
        assert "hits go to the spool since" in " ".join(ready.json()["notes"])
        (line,) = [record for record in caplog.records if "hits go to the spool" in record.message]
        assert said in line.message

        mend(refusing)
        await views(browser, clock, 20, 25)
        await assert_in_order(refusing.log, 25)
        for _ in rounds(0.02):
            if not await spooled(browser):
                break
            await asyncio.sleep(0.02)
        await views(browser, clock, 25, 26)
        assert await spooled(browser) == 0
    finally:
        await browser.http.aclose()
        await ingest.stop()
    await assert_in_order(refusing.log, 26)
    assert list((tmp_path / "spool").glob("*/*")) == []


async def test_an_ingest_that_starts_with_a_wrong_password_says_so_until_it_is_right(
    refusing: Refusing, clock: Hand, tmp_path: Path
) -> None:
    refusing.set_password(PASSWORD)
    url = refusing.url.replace("redis://", "redis://:wrong@", 1)
    ingest = ingest_of(url, clock, tmp_path / "spool")
    await ingest.start()
    browser = Browser(ingest, "203.0.113.9")
    try:
        ready = await browser.http.get("/readyz")
        assert ready.status_code == 503
        assert "invalid username-password pair" in ready.json()["reason"]
        assert "wrong" not in ready.text
        assert (await browser.view()).status_code == 503
        refusing.set_password("wrong")
        await browser.ingest.maintain()
        assert (await browser.http.get("/readyz")).status_code == 200
        assert (await browser.view()).status_code == 202
    finally:
        await browser.http.aclose()
        await ingest.stop()


async def test_hits_are_spooled_while_redis_loads_its_data_and_counted_afterwards(
    tmp_path: Path, clock: Hand
) -> None:
    slowly = ("--key-load-delay", str(LOAD_MICROSECONDS))
    server = RedisServer(tmp_path / "redis", None).start()
    log = Log(server)
    log.publish(SITE)
    ingest = ingest_of(server.url, clock, tmp_path / "spool")
    await ingest.start()
    browser = Browser(ingest, "203.0.113.9")
    loading: threading.Thread | None = None
    try:
        await views(browser, clock, 0, 3)
        with log.redis.pipeline(transaction=False) as pipeline:
            for number in range(KEYS):
                pipeline.set(f"filler:{number}", "")
            pipeline.execute()
        server.kill()
        server.options = slowly
        loading = threading.Thread(target=server.start)
        loading.start()
        await until_it_loads(server)
        await views(browser, clock, 3, 20)
        assert await spooled(browser) == 17
        await asyncio.to_thread(loading.join)
        await assert_in_order(log, 20)
    finally:
        await browser.http.aclose()
        await ingest.stop()
        if loading is not None:
            await asyncio.to_thread(loading.join)
        log.redis.close()
        server.stop()


def is_loading(server: RedisServer) -> bool:
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=server.port, retry=once) as client:
        try:
            return not client.ping()
        except redis.exceptions.BusyLoadingError:
            return True


async def until_it_loads(server: RedisServer) -> None:
    for _ in rounds(0.01):
        try:
            assert is_loading(server), "it has loaded all already"
        except redis.ConnectionError:
            await asyncio.sleep(0.01)
        else:
            return
    raise AssertionError("it does not listen")
