"""The log on a Redis Cluster, where masters die and slots move: in it once, or not accepted."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from services.doctor import log as doctor
from services.log import keys
from services.log.entries import Batcher, LogEntry
from services.log.errors import LogError, LogNotHeldError
from services.log.interface import Log, LogProducer
from services.log.open import open_log
from services.model.hit import Hit
from services.model.partition import partition_of
from services.state.errors import StateError
from services.state.salts import SharedSalts
from services.state.state import State
from tests.integration.test_mailer import CERTIFICATE
from tests.patience import rounds
from tests.require import program
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import FAILING_MS, RedisCluster

PARTITIONS = 8
SITES = [f"site-{number}" for number in range(40)]
"""So many that each partition has some."""
SITE = SITES[0]
PARTITION = partition_of(SITE, PARTITIONS)
STREAM = keys.stream(PARTITION)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[RedisCluster]:
    """A cluster that gives up a master after some seconds."""
    with RedisCluster(tmp_path / "cluster", replicas=True, timeout_ms=FAILING_MS) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster"), replicas=True) as cluster:
        yield cluster


@pytest.fixture
def cluster(lasting: RedisCluster) -> RedisCluster:
    """An empty cluster whose masters do not change."""
    lasting.flush()
    return lasting


@asynccontextmanager
async def opened(url: str, replicas: int = 0) -> AsyncIterator[tuple[Log, LogProducer]]:
    log = open_log(url, partitions=PARTITIONS, answer_seconds=2.0)
    log.require_replicas(replicas)
    producer = log.producer(2.0)
    yield log, producer
    await producer.close()
    await log.close()


class Entries:
    """Entries of one producer, a hit each."""

    def __init__(self, producer: str = "p") -> None:
        self._batcher = Batcher(PARTITIONS, producer)
        self.given: list[LogEntry] = []

    def next(self, *sites: str) -> list[LogEntry]:
        """Return entries of a hit of each site."""
        hits = [Hit(site=site, path="/", at=1, day=19_676, visitor=7) for site in sites]
        entries = self._batcher.prepare(hits)
        self.given += entries
        return entries


async def until_taken(producer: LogProducer, entries: list[LogEntry]) -> int:
    """Append entries again and again, as the spool does, and return how often it failed."""
    for number in rounds(0.1):
        try:
            await producer.append(entries)
        except LogError:
            await asyncio.sleep(0.1)
        else:
            return number
    raise AssertionError("never taken")


async def held(log: Log, partition: int = PARTITION) -> list[tuple[str, int]]:
    """Return whose entries are in a partition, once its replicas have them."""
    for _ in rounds(0.1):
        with suppress(LogError):
            found = await log.reader.read({partition: 0}, limit=100_000)
            return [
                (record.headers["p"].decode(), int(record.headers["s"]))
                for record in found.get(partition, ())
            ]
        await asyncio.sleep(0.1)
    raise AssertionError("nothing can be read")


async def assert_once_and_in_order(log: Log, *all_given: Entries) -> None:
    expected = {
        (entry.partition, entry.producer, entry.sequence)
        for entries in all_given
        for entry in entries.given
    }
    found = {number: await held(log, number) for number in range(PARTITIONS)}
    assert Counter(
        (number, *one) for number, entries in found.items() for one in entries
    ) == Counter(expected)
    for entries in found.values():
        for producer in {name for name, _ in entries}:
            own = [sequence for name, sequence in entries if name == producer]
            assert own == sorted(own)


class Appending:
    """Appends to all masters, one group after the other, until it is stopped."""

    def __init__(self, producer: LogProducer) -> None:
        self.entries = Entries()
        self.taken = 0
        self.failures = 0
        self._producer = producer
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            # Shielded: what was given must be taken before the end.
            await asyncio.shield(self._once())

    async def _once(self) -> None:
        self.failures += await until_taken(self._producer, self.entries.next(*SITES))
        self.taken += 1
        await asyncio.sleep(0.01)

    async def more(self, groups: int) -> None:
        goal = self.taken + groups
        for _ in rounds(0.05):
            if self._task.done():
                self._task.result()
            if self.taken >= goal:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{self.taken} of {goal} groups")

    async def stop(self) -> None:
        for _ in rounds(0.01):
            if len(self.entries.given) == self.taken * PARTITIONS:
                self._task.cancel()
                break
            await asyncio.sleep(0.01)
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.mark.timeout(300)
async def test_appends_go_on_where_another_node_takes_over(failing: RedisCluster) -> None:
    async with opened(failing.url(), replicas=1) as (log, producer):
        appending = Appending(producer)
        await appending.more(5)
        dead = failing.owner(STREAM)
        dead.kill()
        await asyncio.to_thread(failing.master_after, dead, STREAM)
        dead.start()
        await appending.more(5)
        await appending.stop()
        assert appending.failures, "no append met the dead master"
        await assert_once_and_in_order(log, appending.entries)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("replicas", [1, 0])
async def test_only_a_replica_that_is_waited_for_saves_what_a_dead_master_had(
    failing: RedisCluster, replicas: int
) -> None:
    entries = Entries()
    async with opened(failing.url(), replicas) as (log, producer):
        await until_taken(producer, entries.next(SITE))
        master = failing.owner(STREAM)
        replica = failing.replica(master)
        assert len(await held(log)) == 1
        await asyncio.to_thread(replica.wait_until_even, master)
        replica.cut()
        lost = entries.next(SITE)
        if replicas:
            for _ in range(2):
                # The second time there is nothing to write, and still it is not held.
                with pytest.raises(LogNotHeldError):
                    await producer.append(lost)
            with pytest.raises(LogNotHeldError):
                await log.reader.read({PARTITION: 0}, limit=10)
        else:
            await producer.append(lost)
            assert len(await held(log)) == 2
        master.kill()
        assert await asyncio.to_thread(failing.master_after, master, STREAM) is replica
        master.start()
        if replicas:
            await until_taken(producer, lost)
            await assert_once_and_in_order(log, entries)
        else:
            assert len(await held(log)) == 1, "it was accepted, and is lost"


@pytest.mark.parametrize("replicas", [0, 1])
async def test_a_slot_can_be_moved_between_any_two_appends(
    cluster: RedisCluster, replicas: int
) -> None:
    known, late = Entries("known"), Entries("late")
    async with opened(cluster.url(), replicas) as (log, producer):
        await until_taken(producer, known.next(*SITES))
        owner = cluster.owner(STREAM)
        to = next(node for node in cluster.masters() if node is not owner)
        waiting = known.next(*SITES)
        for _ in cluster.moving(STREAM, to):
            # While the stream is there and its sequences here, nobody takes an append.
            with suppress(LogError):
                await producer.append(waiting)
                waiting = known.next(*SITES)
        await until_taken(producer, waiting)
        await until_taken(producer, late.next(*SITES))
        assert cluster.owner(STREAM) is to
        await assert_once_and_in_order(log, known, late)


async def test_steps_of_an_import_wait_for_a_slot_that_is_moved(cluster: RedisCluster) -> None:
    async with opened(cluster.url()) as (log, _):
        owner = cluster.owner(STREAM)
        to = next(node for node in cluster.masters() if node is not owner)
        moving = cluster.moving(STREAM, to)
        next(moving)
        beginning = asyncio.create_task(log.imports.begin(SITE, "d" * 64))
        await asyncio.sleep(0.1)
        assert not beginning.done()
        for _ in moving:
            pass
        assert (await beginning).taken == 0


async def test_a_slot_that_stays_half_moved_is_told_in_words(cluster: RedisCluster) -> None:
    async with opened(cluster.url()) as (log, producer):
        await producer.append(Entries().next(SITE))
        owner = cluster.owner(STREAM)
        to = next(node for node in cluster.masters() if node is not owner)
        moving = cluster.moving(STREAM, to)
        next(moving)
        for call in (
            lambda: producer.append(Entries("secret").next(SITE)),
            lambda: log.imports.begin(SITE, "d" * 64),
        ):
            with pytest.raises(LogError) as refused:
                await call()
            assert "its keys are being moved from one node of the cluster" in str(refused.value)
            assert "secret" not in str(refused.value)
        for _ in moving:
            pass
        await producer.append(Entries("secret").next(SITE))


async def test_a_cluster_that_is_taken_for_one_redis_is_told_in_words(
    cluster: RedisCluster, tmp_path: Path
) -> None:
    url = cluster.url().replace("redis+cluster", "redis").split(",")[0]
    log, state = open_log(url, partitions=PARTITIONS), State.open(url)
    with pytest.raises(LogError, match=r"write redis\+cluster://"):
        await log.positions.owners()
    agreed = [SharedSalts(state).agree(site, 1, b"") for site in SITES]
    refused = await asyncio.gather(*agreed, return_exceptions=True)
    said = {str(one) for one in refused if isinstance(one, StateError)}
    assert len(said) == 1
    assert "write redis+cluster://" in said.pop()
    checks = {check.name: check for check in await log.examine()}
    assert checks["Redis"].value == "is one of a Redis Cluster"
    assert "redis+cluster://" in checks["Redis"].advice
    await log.close()
    await state.close()
    with RedisServer(tmp_path / "redis") as server:
        log = open_log(server.url.replace("redis", "redis+cluster", 1), partitions=PARTITIONS)
        with pytest.raises(LogError, match="not of a Redis Cluster; write redis://"):
            await log.reader.ends()
        await log.close()


@pytest.mark.timeout(300)
async def test_doctor_tells_of_slots_that_nobody_serves(tmp_path: Path) -> None:
    with RedisCluster(tmp_path / "cluster", timeout_ms=FAILING_MS) as cluster:
        async with opened(cluster.url()) as (log, producer):
            await producer.append(Entries().next(*SITES))
            checks = {check.name: check for check in await doctor.examine(log, lambda: 0.0)}
            assert checks["cluster"].ok
            assert checks["cluster"].found == "3 masters serve all slots"
            assert checks["spread"].found.startswith("partitions by master: ")
            assert checks["eviction"].ok
            cluster.owner(STREAM).kill()
            for _ in rounds(0.2):
                found = {check.name: check for check in await log.examine()}
                if "state fail" in found["cluster"].value:
                    break
                await asyncio.sleep(0.2)
            assert not found["cluster"].ok
            assert "slots have no master at work" in found["cluster"].value
            assert "cluster-require-full-coverage" in found["cluster"].advice
            assert not found["master"].ok


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine, beside its key."""
    # The Valkey that stands in for Redis elsewhere has no TLS.
    program("redis-server")
    named = CERTIFICATE.replace("DNS:localhost", "IP:127.0.0.1")
    command = [program("openssl"), *named.split()]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "cert.pem"


@pytest.mark.timeout(300)
async def test_every_node_is_reached_by_tls(tmp_path: Path, certificate: Path) -> None:
    with RedisCluster(tmp_path / "cluster", tls=certificate.parent) as cluster:
        hosts = f"127.0.0.1:{cluster.nodes[0].tls_port}"
        url = f"rediss+cluster://{hosts}?ssl_ca_certs={certificate}"
        entries = Entries()
        async with opened(url) as (log, producer):
            await producer.append(entries.next(*SITES))
            await assert_once_and_in_order(log, entries)
        state = State.open(url)
        salts = {await SharedSalts(state).agree(site, 1, b"salt") for site in SITES}
        assert salts == {b"salt"}
        await state.close()
        async with opened(url.partition("?")[0]) as (log, _):
            with pytest.raises(LogError, match="certificate"):
                await log.reader.ends()
