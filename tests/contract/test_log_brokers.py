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
from services.log.kafka.safety import HITS
from services.log.open import open_log
from tests.contract import test_log
from tests.contract.test_log import PARTITIONS
from tests.integration.test_kafka_log import refusal
from tests.patience import PATIENCE_SECONDS
from tests.servers.kafka_cluster import KafkaCluster

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
    cluster: KafkaCluster, url: str
) -> None:
    log = open_log(url, partitions=PARTITIONS, answer_seconds=2 * PATIENCE_SECONDS)
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
    await log.close()


async def test_a_log_that_is_made_while_a_broker_is_away_is_safe_with_two_copies(
    cluster: KafkaCluster, url: str
) -> None:
    away = cluster.brokers[-1]
    away.kill()
    try:
        log = open_log(url, partitions=PARTITIONS, answer_seconds=2 * PATIENCE_SECONDS)
        await cluster.until_known(len(cluster.brokers) - 1)
        await log.check(unsafe_eviction=False)
        checks = {check.name: check for check in await log.examine()}
        topic = url.rpartition("/")[2]
        for name in (topic, f"{topic}-notes"):
            assert checks[f"topic {name}"].ok is None
            assert "two copies of each entry" in checks[f"topic {name}"].value
        await log.close()
    finally:
        away.start()
        await cluster.until_complete()


async def test_what_is_committed_is_never_unknown_while_other_brokers_take_over(
    cluster: KafkaCluster, url: str
) -> None:
    log = open_log(url, partitions=PARTITIONS, answer_seconds=2 * PATIENCE_SECONDS)
    await log.check(unsafe_eviction=False)
    committed = {0: (1 << 60) + 5, 1: 7}
    await log.positions.set_committed(committed)
    seen: list[dict[int, int]] = []
    over = asyncio.Event()

    async def look() -> None:
        while not over.is_set():
            with contextlib.suppress(LogError):
                seen.append(await log.positions.committed())

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(look())
        for broker in cluster.brokers:
            await asyncio.to_thread(broker.stop)
            await cluster.until_known(len(cluster.brokers) - 1)
            await asyncio.to_thread(broker.start)
            await cluster.until_complete(url.rpartition("/")[2])
        over.set()
    assert seen
    assert [found for found in seen if found != committed] == []
    await log.close()
