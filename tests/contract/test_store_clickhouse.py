"""What only a server can do: be away, be several, ask for a password, be of another age."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.store.drivers.address import Address
from services.store.drivers.clickhouse import THREADS, ClickHouseStore
from services.store.drivers.faults import fault
from services.store.interface import StoreError, StoreUnavailableError
from services.store.migrations import migrate
from services.store.open import open_store
from tests.chaos.proxy import Proxy
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import free_port

PASSWORD = "p@ss:/wörd%"
QUOTED = "p%40ss%3A%2Fw%C3%B6rd%25"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ClickHouseServer]:
    """A server of the test's own, to be killed."""
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        yield server


async def test_a_killed_server_is_unavailable_and_works_again_after_its_restart(
    server: ClickHouseServer,
) -> None:
    store = open_store(server.url)
    try:
        await migrate(store)
        await store.insert("meta", {"name": ["a"], "version": [1], "value": ["kept"]})
        server.kill()
        with pytest.raises(
            StoreUnavailableError, match=f"no connection to 127.0.0.1:{server.port}"
        ):
            await store.execute("SELECT 1")
        with pytest.raises(StoreUnavailableError):
            await store.insert("meta", {"name": ["b"], "version": [1], "value": [""]})
        server.start()
        assert await store.execute("SELECT value FROM meta") == [("kept",)]
    finally:
        await store.close()


async def test_a_restart_between_two_calls_is_not_noticed(server: ClickHouseServer) -> None:
    store = open_store(server.url)
    try:
        await migrate(store)
        server.kill()
        server.start()
        await store.insert("meta", {"name": ["a"], "version": [1], "value": ["written"]})
        assert await store.execute("SELECT value FROM meta") == [("written",)]
    finally:
        await store.close()


async def test_a_server_killed_during_a_call_is_unavailable(server: ClickHouseServer) -> None:
    store = open_store(server.url)
    watcher = open_store(server.url)
    try:
        await migrate(store)
        endless = "SELECT count() FROM system.numbers"
        call = asyncio.create_task(store.execute(endless))
        running = "SELECT count() FROM system.processes WHERE query = %(sql)s"
        async with asyncio.timeout(90):
            while await watcher.execute(running, {"sql": endless}) == [(0,)]:
                pass
        server.kill()
        with pytest.raises(StoreUnavailableError):
            await call
    finally:
        await store.close()
        await watcher.close()


async def test_a_server_that_says_nothing_keeps_no_thread_for_longer_than_was_asked(
    clickhouse_server: ClickHouseServer,
) -> None:
    async with Proxy(clickhouse_server.port) as proxy:
        address = f"clickhouse://default@127.0.0.1:{proxy.port}/default"
        store = open_store(address, answer_seconds=2.0)
        try:
            for _ in range(THREADS):
                assert await store.execute("SELECT 1") == [(1,)]
            proxy.hold()
            async with asyncio.timeout(90):
                for result in await asyncio.gather(
                    *(store.execute("SELECT 1") for _ in range(2 * THREADS)), return_exceptions=True
                ):
                    assert isinstance(result, StoreUnavailableError)
            proxy.heal()
            # A statement that works for longer than that tells its progress all the while.
            assert await store.execute("SELECT sum(number % 3) FROM numbers(200000000)")
        finally:
            await store.close()


async def test_of_several_hosts_the_one_that_answers_is_used(server: ClickHouseServer) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    for hosts in (f"{nobody},127.0.0.1:{server.port}", f"127.0.0.1:{server.port},{nobody}"):
        store = open_store(f"clickhouse://{hosts}/default")
        try:
            assert await store.execute("SELECT 1") == [(1,)]
        finally:
            await store.close()


async def test_the_next_host_takes_over_when_one_dies(
    server: ClickHouseServer, clickhouse_server: ClickHouseServer
) -> None:
    hosts = f"127.0.0.1:{server.port},127.0.0.1:{clickhouse_server.port}"
    store = open_store(f"clickhouse://{hosts}/default")
    try:
        await store.execute("CREATE TABLE only_on_the_first (a UInt8) ENGINE = Memory")
        there = "SELECT count() FROM system.tables WHERE name = 'only_on_the_first'"
        assert await store.execute(there) == [(1,)]
        server.kill()
        assert await store.execute(there) == [(0,)]
    finally:
        await store.close()


async def test_what_was_streamed_leaves_no_buffer_to_the_collector(
    clickhouse_server: ClickHouseServer,
) -> None:
    def readers() -> int:
        return sum(type(one).__name__ == "BufferedSocketReader" for one in gc.get_objects())

    store = open_store(clickhouse_server.url)
    try:
        await migrate(store)
        gc.collect()
        gc.disable()
        before = readers()
        for _ in range(5):
            async for _ in store.stream("SELECT number FROM system.numbers LIMIT 10"):
                pass
        assert readers() == before
    finally:
        gc.enable()
        await store.close()


async def test_too_little_memory_may_pass(clickhouse_server: ClickHouseServer) -> None:
    store = open_store(clickhouse_server.url)
    try:
        await store.prepare()
        with pytest.raises(StoreUnavailableError, match=r"[Mm]emory limit.*\(code 241\)"):
            await store.execute("SELECT groupArray(number) FROM numbers(200000000)")
        assert await store.execute("SELECT 1") == [(1,)]
    finally:
        await store.close()


async def test_a_missing_database_is_made_by_migrating_only(
    clickhouse_server: ClickHouseServer,
) -> None:
    store = open_store(clickhouse_server.url.replace("/luot", "/made_by_the_test"))
    try:
        with pytest.raises(StoreError, match=r"no database 'made_by_the_test'.*luot migrate"):
            await store.execute("SELECT 1")
        await store.prepare()
        await store.prepare()
        assert await store.execute("SELECT currentDatabase()") == [("made_by_the_test",)]
        await store.execute("DROP DATABASE made_by_the_test")
    finally:
        await store.close()


async def test_a_password_with_signs_in_it_opens_the_server_and_is_never_shown(
    tmp_path: Path,
) -> None:
    server = ClickHouseServer(tmp_path / "clickhouse", password=PASSWORD)
    try:
        server.start()
        url = f"clickhouse://default:{QUOTED}@127.0.0.1:{server.port}/luot"
        store = open_store(url)
        await migrate(store)
        assert PASSWORD not in repr(store)
        assert QUOTED not in repr(store)
        await store.close()
        wrong = open_store(url.replace(QUOTED, "wrong-secret"))
        with pytest.raises(StoreError, match=r"[Ww]rong password") as caught:
            await wrong.execute("SELECT 1")
        assert not isinstance(caught.value, StoreUnavailableError)
        assert "wrong-secret" not in str(caught.value)
        await wrong.close()
    finally:
        server.kill()


async def test_the_old_server_is_not_sent_settings_it_does_not_know(
    clickhouse_server: ClickHouseServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="clickhouse_driver")
    store = open_store(clickhouse_server.url)
    try:
        await store.prepare()
        ((value,),) = await store.execute(
            "SELECT value FROM system.settings WHERE name = 'max_query_size'"
        )
        assert value == str(16 << 20)
        assert not [record for record in caplog.records if "setting" in record.getMessage()]
    finally:
        await store.close()


def test_an_address_is_read_from_its_url() -> None:
    address = Address.parse(f"clickhouses://luot:{QUOTED}@one.example,[::1]:9441/stats?verify=0")
    assert address == Address(
        hosts=(("one.example", 9440), ("::1", 9441)),
        user="luot",
        password=PASSWORD,
        database="stats",
        secure=True,
        verify=False,
    )
    assert Address.parse("clickhouse://10.0.0.1") == Address(hosts=(("10.0.0.1", 9000),))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("clickhouse://:secret@/luot", "'' is not a host"),
        ("clickhouse://u:secret@host:port/luot", "'host:port' is not a host"),
        ("clickhouse://u:secret@host:99999/luot", "'host:99999' is not a host"),
        ("clickhouse://u:secret@host/a;b", "'a;b' is not the name of a database"),
        ("clickhouse://u:secret@host/luot?compress=1", "compress=1 is not understood"),
        ("clickhouse://u:secret@h1,h2/luot?cluster=a-b", "?cluster=a-b is not the name of a"),
        ("clickhouses://u:secret@h1/luot?verify=0&cluster=", "?cluster= is not the name of a"),
        ("clickhouse://u:secret@h1/luot?cluster=a&cluster=b", "cluster=b is not understood"),
        ("redis://u:secret@host/luot", "'redis' is not the scheme of a store"),
        ("host:9000", "'host' is not the scheme of a store"),
        ("", "'' is not the scheme of a store"),
    ],
)
def test_a_url_that_names_no_store_is_refused_without_its_password(url: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected.replace("?", r"\?")) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_a_store_that_was_never_used_closes_without_connecting() -> None:
    store = ClickHouseStore(f"clickhouse://127.0.0.1:{free_port()}/luot")
    asyncio.run(store.close())


def test_a_quorum_that_is_busy_is_no_lasting_fault() -> None:
    for code in (286, 319):
        assert isinstance(fault(code, "DB::Exception: Quorum"), StoreUnavailableError)


async def test_a_repeated_insert_is_never_taken_for_done(
    clickhouse_server: ClickHouseServer,
) -> None:
    store = open_store(clickhouse_server.url)
    try:
        await migrate(store)
        rows = await store.execute(
            "SELECT value, changed FROM system.settings WHERE name = 'insert_deduplicate'"
        )
        assert rows == [("0", 1)]
    finally:
        await store.close()
