"""A real Kafka as the log: TLS and passwords, and topics that must not hold it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.log.drivers.kafka import KafkaLog
from services.log.entries import LogEntry
from services.log.errors import LogError, LogRefusedError
from services.log.kafka.address import KafkaAddress
from services.log.kafka.cluster import KafkaCluster
from services.log.kafka.safety import DESCRIBE_LOG_DIRS, HITS
from services.log.open import open_log
from tests.integration.imports.world import line, run
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.kafka import PASSWORD, KafkaServer
from tests.servers.system import TOKEN, System

PARTITIONS = 2


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka"), secured=True) as server:
        yield server


@pytest.fixture
async def admin(kafka: KafkaServer) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{kafka.port}")
    await client.start()
    yield client
    await client.close()


async def appended(url: str) -> None:
    """Make a log and append an entry to each partition."""
    log = open_log(url, partitions=PARTITIONS)
    await log.check(unsafe_eviction=False)
    producer = log.producer(30.0)
    await producer.append([LogEntry(number, "p", 1, 1, b"hit") for number in range(PARTITIONS)])
    await producer.close()
    await log.close()


async def refusal(url: str) -> str:
    """Return why a log is refused; once it is, for a change may take a moment to be seen."""
    for _ in rounds(0.1):
        log = open_log(url, partitions=PARTITIONS)
        try:
            await log.check(unsafe_eviction=False)
        except LogRefusedError as refused:
            return str(refused)
        finally:
            await log.close()
    raise AssertionError("it was taken")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
async def test_the_log_is_reached_with_tls_and_a_password(
    kafka: KafkaServer, mechanism: str
) -> None:
    topic, option = f"tls-{mechanism.lower()}", f"&mechanism={mechanism}"
    url = kafka.secured_url(topic, more=option)
    await appended(url)
    log = open_log(url, partitions=PARTITIONS)
    read = await log.reader.read({0: 0, 1: 0}, limit=10)
    assert [[record.value for record in read[number]] for number in (0, 1)] == [[b"hit"]] * 2
    await log.close()

    wrong = open_log(kafka.secured_url(topic, "not-" + PASSWORD, option), partitions=PARTITIONS)
    with pytest.raises(LogError) as error:
        await wrong.examine()
    assert PASSWORD not in str(error.value)
    await wrong.close()


async def test_a_broker_that_nobody_vouches_for_is_not_believed(kafka: KafkaServer) -> None:
    strange = open_log(kafka.secured_url("tls").partition("?")[0], partitions=PARTITIONS)
    with pytest.raises(LogError):
        await strange.examine()
    await strange.close()


async def test_a_topic_that_deletes_hits_is_refused(
    kafka: KafkaServer, admin: AIOKafkaAdminClient
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    await appended(kafka.url(topic))
    for change in ({"retention.ms": "604800000"}, {"cleanup.policy": "compact,delete"}):
        [[name, value]] = change.items()
        [reply] = await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, {**HITS, **change})]
        )
        assert reply.resources[0][0] == 0, reply
        said = await refusal(kafka.url(topic))
        assert f"Kafka's topic {topic}: {name} is {value}. Set {name}={HITS[name]}: " in said
    log = open_log(kafka.url(topic), partitions=PARTITIONS)
    wrong = [check for check in await log.examine() if check.ok is False]
    assert [check.value for check in wrong] == ["cleanup.policy is compact,delete"]
    await log.check(unsafe_eviction=True)
    await log.close()


async def test_brokers_of_kafka_4_2_are_told_from_later_ones(kafka: KafkaServer) -> None:
    cluster = KafkaCluster(KafkaAddress.parse(kafka.url("hits")), 5.0)
    # Kafka 4.3 takes version 5.
    assert await cluster.newest_version(DESCRIBE_LOG_DIRS) == 4
    assert await cluster.newest_version(9999) == -1
    await cluster.close()


async def test_a_topic_with_more_partitions_than_it_was_made_with_is_refused(
    kafka: KafkaServer, admin: AIOKafkaAdminClient
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    await appended(kafka.url(topic))
    await admin.create_partitions({topic: NewPartitions(PARTITIONS + 1)})
    said = await refusal(kafka.url(topic))
    assert f"has {PARTITIONS + 1} partitions, but was created with {PARTITIONS}" in said


async def test_a_topic_that_was_deleted_or_made_again_is_refused(
    kafka: KafkaServer, admin: AIOKafkaAdminClient
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    url = kafka.url(topic)
    await appended(url)
    # The second start notes how far it reaches.
    await appended(url)
    await admin.delete_topics([topic])
    assert f"the topic {topic} is gone" in await refusal(url)
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=HITS)])
    for _ in rounds(0.1):
        if "made again" in (said := await refusal(url)):
            break
    assert f"the topic {topic} was deleted and made again" in said


@pytest.fixture(scope="module")
def portal(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(
        tmp_path_factory.mktemp("luot"),
        LUOT_LOG_URL=kafka.secured_url("portal"),
    )
    try:
        yield system.start()
    finally:
        system.stop()


def test_a_hit_becomes_a_number_through_kafka(portal: System) -> None:
    portal.add_site("mytho")
    assert portal.hit("mytho", "/tin-tuc/bai-1.html").status_code == 202
    assert portal.counter_when("mytho", total=1)["today"] == 1
    portal.hit("mytho", "/tin-tuc/bai-2.html")
    portal.hit("mytho", "/tin-tuc/bai-2.html", **{"X-Forwarded-For": "203.0.113.7"})
    portal.counter_when("mytho", total=3, metric="views")
    portal.counter_when("mytho", total=2)


def test_the_tail_the_doctor_and_an_import_go_through_kafka(portal: System, tmp_path: Path) -> None:
    portal.add_site("danang")
    portal.hit("danang", "/tin")
    portal.counter_when("danang", total=1)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{portal.api.url}/api/admin/tail?site=danang&since=600"
    with httpx.stream("GET", url, headers=headers, timeout=PATIENCE_SECONDS) as stream:
        seen = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert '"path":"/tin"' in seen

    log = tmp_path / "access.log"
    lines = [line(f"01/Mar/2024:10:{minute:02}:00 +0700", f"/{minute}") for minute in range(30)]
    log.write_text("\n".join(lines) + "\n")
    imported = run(portal.api, "--site", "danang", log)
    assert imported.returncode == 0, imported.stderr
    portal.counter_when("danang", total=31, metric="views")

    said = httpx.get(f"{portal.api.url}/api/admin/doctor", headers=headers, timeout=60).json()
    checks = {check["name"]: check for check in said if check["part"] == "log"}
    assert [check for check in checks.values() if check["ok"] is False] == []
    assert "1 broker of" in checks["Kafka"]["found"]
    assert "one copy of each entry" in checks["topic portal"]["found"]
    assert "Kafka's version" not in checks


def test_what_a_killed_aggregator_had_is_counted_once_by_the_next(portal: System) -> None:
    portal.add_site("hue")
    for number in range(20):
        portal.hit("hue", f"/{number}", number=f"0.{number}1")
        if number == 10:
            portal.aggregator.kill()
    portal.aggregator.start()
    portal.counter_when("hue", total=20, metric="views")


def test_hits_wait_in_the_spool_while_kafka_is_away(portal: System, kafka: KafkaServer) -> None:
    portal.add_site("vinh")
    portal.hit("vinh", "/", number="0.1")
    portal.counter_when("vinh", total=1, metric="views")
    kafka.kill()
    for number in range(5):
        assert portal.hit("vinh", f"/{number}", number=f"0.2{number}").status_code == 202
    kafka.start()
    portal.counter_when("vinh", total=6, metric="views")


async def test_a_member_whose_group_task_died_owns_nothing_until_it_joins_again(
    kafka: KafkaServer,
) -> None:
    log = KafkaLog(kafka.url("member"), partitions=PARTITIONS, group="g", answer_seconds=30.0)
    await log.member.join("worker", 6.0)
    assert log.member.owned == {0, 1}
    consumer: Any = log.member._consumer
    keeper = consumer._coordinator._coordination_task
    keeper.cancel()
    await asyncio.wait([keeper])
    assert log.member.owned == set()
    await log.member.join("worker", 6.0)
    assert log.member.owned == {0, 1}
    await log.close()
