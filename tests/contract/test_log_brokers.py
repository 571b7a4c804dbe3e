"""The contract of the log on three Kafka brokers: some of it, as brokers are dear.

With `LUOT_TEST_THREE_BROKERS=1` all of it. What is different from one broker is that entries have
copies, and that groups, transactions and partitions are led by different brokers.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.log.errors import LogError
from services.log.interface import Log
from services.log.kafka.positions import group_of
from services.log.kafka.safety import HITS
from services.log.open import DEFAULT_GROUP, open_log
from services.runtime.tasks import end
from tests.contract import test_log
from tests.contract.test_log import PARTITIONS
from tests.integration.test_kafka_log import refusal
from tests.patience import rounds
from tests.servers.kafka import OFFSETS_PARTITIONS
from tests.servers.kafka_cluster import ClusterBroker, KafkaCluster

SOME = (
    test_log.test_an_entry_given_again_is_in_the_log_once,
    test_log.test_a_producer_that_is_opened_again_knows_its_last_sequences,
    test_log.test_nobody_else_holds_the_partitions_meanwhile,
    test_log.test_a_chunk_of_an_import_is_appended_once_and_in_order,
    test_log.test_a_trimmed_log_keeps_all_from_the_position_on,
)
ALL = [
    test
    for name, test in vars(test_log).items()
    if name.startswith("test_") and "scheme" not in test.__annotations__
]
globals().update(
    {test.__name__: test for test in (ALL if os.environ.get("LUOT_TEST_THREE_BROKERS") else SOME)}
)
log = test_log.log


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield cluster


@pytest.fixture
def url(cluster: KafkaCluster) -> str:
    """Where an empty log is."""
    return cluster.url(f"hits-{secrets.token_hex(4)}")


async def test_a_topic_has_three_copies_of_which_two_must_have_a_hit(
    cluster: KafkaCluster, url: str, log: Log
) -> None:
    await log.check(unsafe_eviction=False)
    topic = url.rpartition("/")[2]
    checks = {check.name: check for check in await log.examine()}
    assert checks["Kafka"].value.startswith("3 brokers of ")
    for name in (topic, f"{topic}-notes"):
        assert checks[f"topic {name}"].ok
        assert "3 copies of each entry" in checks[f"topic {name}"].value
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.addresses)
    await admin.start()
    try:
        settings = {**HITS, "min.insync.replicas": "1"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])
    finally:
        await admin.close()
    said = await refusal(url, PARTITIONS)
    assert f"Kafka's topic {topic}: min.insync.replicas is 1 of 3 copies. Set min.insync" in said


async def test_a_log_that_is_made_while_a_broker_is_away_is_safe_with_two_copies(
    cluster: KafkaCluster, url: str, log: Log
) -> None:
    away = cluster.brokers[-1]
    away.kill()
    try:
        await cluster.until_known(len(cluster.brokers) - 1)
        await log.check(unsafe_eviction=False)
        checks = {check.name: check for check in await log.examine()}
        topic = url.rpartition("/")[2]
        for name in (topic, f"{topic}-notes"):
            assert checks[f"topic {name}"].ok is None
            assert "two copies of each entry" in checks[f"topic {name}"].value
    finally:
        away.start()
        await cluster.until_complete()


async def test_what_is_committed_never_goes_back_while_other_brokers_take_over(
    cluster: KafkaCluster, url: str, log: Log
) -> None:
    await log.check(unsafe_eviction=False)
    committed = (1 << 60) + 5
    await log.positions.set_committed({0: committed, 1: 7})
    over = asyncio.Event()

    async def commit() -> None:
        nonlocal committed
        while not over.is_set():
            with contextlib.suppress(LogError):
                await log.positions.set_committed({0: committed + 1})
                committed += 1

    gone_back: list[tuple[int, dict[int, int]]] = []
    looks = 0

    async def look() -> None:
        nonlocal looks
        while not over.is_set():
            least = committed
            with contextlib.suppress(LogError):
                found = await log.positions.committed()
                looks += 1
                expected = found.keys() == {0, 1} and found[1] == 7
                if not (expected and least <= found[0] <= committed + 1):
                    gone_back.append((least, found))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(commit())
        tasks.create_task(look())
        for broker in cluster.brokers:
            await asyncio.to_thread(broker.stop)
            await cluster.until_known(len(cluster.brokers) - 1)
            await asyncio.to_thread(broker.start)
            await cluster.until_complete(url.rpartition("/")[2])
        over.set()
    assert looks
    assert gone_back == []


OFFSETS = "__consumer_offsets"


def offsets_of(topic: str) -> int:
    """Return the partition that has the offsets of a topic's group: by the hash of Java."""
    hashed = 0
    for character in group_of(topic, DEFAULT_GROUP):
        hashed = (31 * hashed + ord(character)) % (1 << 32)
    return (hashed & 0x7FFFFFFF) % OFFSETS_PARTITIONS


async def test_what_is_in_doubt_is_told_only_once_it_is_decided(
    cluster: KafkaCluster, url: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = url.rpartition("/")[2]
    await log.check(unsafe_eviction=False)
    await log.positions.set_committed({0: 1})
    leading, following, frozen = await cluster.replicas(OFFSETS, offsets_of(topic))
    if frozen is cluster.controller():
        # Without it the others could not agree on another leader.
        frozen.stop()
        frozen.start()
        await cluster.until_complete()
        leading, following, frozen = await cluster.replicas(OFFSETS, offsets_of(topic))
    copied = following.size(OFFSETS, offsets_of(topic))
    frozen.freeze()
    try:
        # The next leader has it, but not every replica, so it is in doubt.
        in_doubt = asyncio.create_task(log.positions.set_committed({0: 2}))
        for _ in rounds(0.01):
            if following.size(OFFSETS, offsets_of(topic)) > copied:
                break
            await asyncio.sleep(0.01)
        await end(in_doubt)
        await log.close()
        # It hands over at once, and stops when the frozen one is no longer waited for.
        stopping = asyncio.create_task(asyncio.to_thread(leading.stop))
        for _ in rounds(0.1):
            with contextlib.suppress(LogError):
                if await cluster.leader(OFFSETS, offsets_of(topic)) is following:
                    break
            await asyncio.sleep(0.1)
        first = await committed_at(following, topic, monkeypatch)
    finally:
        frozen.thaw()
    await stopping
    last = first
    for _ in rounds(0.1):
        last = await committed_at(following, topic, monkeypatch)
        if last == {0: 2}:
            break
        await asyncio.sleep(0.1)
    leading.start()
    await cluster.until_complete()
    assert last == {0: 2}
    assert first in (None, last)


async def committed_at(
    broker: ClusterBroker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> dict[int, int] | None:
    """Return the positions that a broker tells, which coordinates the group; None for no answer."""

    async def coordinator(*_: object) -> int:
        return broker.node

    # The client would also ask a frozen one who it is.
    monkeypatch.setattr(AIOKafkaAdminClient, "find_coordinator", coordinator)
    log = open_log(broker.url(topic), partitions=PARTITIONS, answer_seconds=0)
    try:
        return await log.positions.committed()
    except LogError:
        return None
    finally:
        await log.close()
