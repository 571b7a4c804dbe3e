"""A real Kafka as the log: TLS and passwords, and topics that must not hold it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownError
from aiokafka.producer.sender import EndTxnHandler

from services.ingest.circuit_breaker import CircuitBreaker
from services.ingest.spool.drain import Drain
from services.ingest.spool.spool import Spool
from services.log.admin import KnownImport, KnownImports, MoveMark, Way
from services.log.drivers.kafka import KafkaLog
from services.log.entries import LogEntry
from services.log.errors import HoldLostError, LogError, LogRefusedError
from services.log.import_log import ImportOutcome
from services.log.import_names import import_producer
from services.log.kafka import holding
from services.log.kafka.address import KafkaAddress
from services.log.kafka.clients import stop_now
from services.log.kafka.cluster import KafkaCluster
from services.log.kafka.notes import KafkaNotes, NotesChange
from services.log.kafka.safety import DESCRIBE_LOG_DIRS, HITS
from services.log.open import open_log
from services.runtime.clock import system_clock
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.kafka import PASSWORD, KafkaServer

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


async def refusal(url: str, partitions: int = PARTITIONS) -> str:
    """Return why a log is refused; once it is, for a change may take a moment to be seen."""
    for _ in rounds(0.1):
        log = open_log(url, partitions=partitions)
        try:
            await log.check(unsafe_eviction=False)
        except LogRefusedError as refused:
            return str(refused)
        finally:
            await log.close()
    raise AssertionError("it was taken")


async def remade(admin: AIOKafkaAdminClient, topic: str) -> None:
    """Delete a topic, and create it again."""
    await admin.delete_topics([topic])
    for _ in rounds(0.1):
        [reply] = (
            await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=HITS)])
        ).topic_errors
        if reply[1] == 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{topic} is not deleted")


async def until_closed() -> None:
    """Return once no connection is open here: a client does not wait for those it gives up."""
    loop: Any = asyncio.get_running_loop()
    for _ in rounds(0.02):
        # The loop's own pipe is left.
        if len(loop._selector.get_map()) == 1:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"still open: {list(loop._selector.get_map())}")


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
    await until_closed()


async def test_a_broker_that_nobody_vouches_for_is_not_believed(kafka: KafkaServer) -> None:
    strange = open_log(kafka.secured_url("tls").partition("?")[0], partitions=PARTITIONS)
    with pytest.raises(LogError):
        await strange.examine()
    await strange.close()
    await until_closed()


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


async def test_trimmed_hits_are_off_the_disks_within_hours(
    kafka: KafkaServer, admin: AIOKafkaAdminClient
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    await appended(kafka.url(topic))
    cluster = KafkaCluster(KafkaAddress.parse(kafka.url(topic)), 30.0)
    assert (await cluster.settings(topic))["segment.ms"] == "3600000"
    log = open_log(kafka.url(topic), partitions=PARTITIONS)
    assert [check.value for check in await log.examine() if check.name == "disk"] == []

    # A topic of before is taken as it is, and doctor tells of it.
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, HITS)])
    told: list[str] = []
    for _ in rounds(0.1):
        told = [check.value for check in await log.examine() if check.name == "disk"]
        if told:
            break
        await asyncio.sleep(0.1)
    [value] = told
    assert value.startswith(f"segment.ms of {topic} is 604800000: ")
    await log.check(unsafe_eviction=False)

    # A log that is moved into is emptied, and gets the same settings as a new one.
    await log.admin.clear(0)
    for _ in rounds(0.1):
        if (await cluster.settings(topic))["segment.ms"] == "3600000":
            break
        await asyncio.sleep(0.1)
    assert (await cluster.settings(topic))["segment.ms"] == "3600000"
    await cluster.close()
    await log.close()


async def test_a_new_topic_that_brokers_do_not_tell_of_in_time_is_an_error_of_the_log(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def topics(_: KafkaCluster) -> dict[str, int]:
        return {}

    log = open_log(kafka.url("late"), partitions=PARTITIONS, answer_seconds=2.0)
    monkeypatch.setattr(KafkaCluster, "topics", topics)
    with pytest.raises(LogError, match="Kafka does not answer in time"):
        await log.check(unsafe_eviction=False)
    await log.close()


async def test_brokers_of_kafka_4_2_are_told_from_later_ones(kafka: KafkaServer) -> None:
    cluster = KafkaCluster(KafkaAddress.parse(kafka.url("hits")), 5.0)
    _, brokers = await cluster.brokers()
    # Kafka 4.3 takes version 5.
    assert await cluster.newest_version(DESCRIBE_LOG_DIRS, brokers) == 4
    assert await cluster.newest_version(9999, brokers) == -1
    await cluster.close()


async def test_brokers_that_forget_after_a_week_are_told(kafka: KafkaServer) -> None:
    log = open_log(kafka.url(f"hits-{secrets.token_hex(4)}"), partitions=PARTITIONS)
    [check] = [each for each in await log.examine() if each.name == "committed offsets"]
    assert check.ok is None
    assert "offsets.retention.minutes is 10080: hits of a spool" in check.value
    await log.check(unsafe_eviction=False)
    await log.close()


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


async def test_a_topic_that_is_made_again_while_it_is_appended_to_takes_nothing(
    kafka: KafkaServer, admin: AIOKafkaAdminClient
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    log = open_log(kafka.url(topic), partitions=PARTITIONS)
    # What is noted of how far it reaches is from before the first entry.
    await log.check(unsafe_eviction=False)
    producer = log.producer(30.0)
    for sequence in range(1, 11):
        await producer.append([LogEntry(0, "p", sequence, 1, b"hit")])
    read_to = (await log.reader.read({0: 0}, limit=5, wait=5.0))[0][-1].position + 1
    await remade(admin, topic)
    said = ""
    for _ in rounds(0.1):
        try:
            await producer.append([LogEntry(0, "p", 11, 1, b"hit")])
        except LogError as error:
            said = str(error)
            await producer.abandon()
        if "made again" in said:
            break
    assert f"the topic {topic} was deleted and made again" in said
    with pytest.raises(LogRefusedError, match="made again"):
        await log.check(unsafe_eviction=False)
    await producer.close()
    await log.close()
    assert "made again" in await refusal(kafka.url(topic)), "whoever starts later hears it, too"

    # Nor does an aggregator count what it finds there at offsets that it has read.
    other = open_log(kafka.url(topic), partitions=PARTITIONS)
    assert isinstance(other, KafkaLog)
    another = other.producer(30.0)
    await another.append([LogEntry(0, "q", 1, 1, b"hit")])
    await another.close()
    said = ""
    for _ in rounds(1.0):
        try:
            assert await other.follower.read({0: read_to}, 1.0, 10) == {}
        except LogError as error:
            said = str(error)
            break
    assert "made again" in said
    await other.close()


async def test_no_import_begins_on_a_topic_that_was_made_again(
    kafka: KafkaServer, admin: AIOKafkaAdminClient
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    url = kafka.url(topic)
    await appended(url)
    # The second start notes how far it reaches.
    await appended(url)
    await remade(admin, topic)
    log = open_log(url, partitions=PARTITIONS)
    with pytest.raises(LogError, match="deleted and made again"):
        await log.imports.begin("a", "d1")
    assert await log.imports.find("a", "d1") is None
    await log.close()


async def test_an_import_ends_on_a_topic_that_is_made_again_meanwhile(
    kafka: KafkaServer, admin: AIOKafkaAdminClient
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    url = kafka.url(topic)
    log = open_log(url, partitions=PARTITIONS)
    # What is noted of how far it reaches is from before the first entry.
    await log.check(unsafe_eviction=False)
    await log.imports.begin("a", "d1")
    for line in range(10):
        outcome = await log.imports.append("a", "d1", line, line + 1, 1, b"chunk")
        assert outcome == (ImportOutcome.APPENDED, line + 1)
    await remade(admin, topic)
    said = ""
    for _ in rounds(0.1):
        try:
            await log.imports.append("a", "d1", 10, 11, 1, b"chunk")
        except LogError as error:
            said = str(error)
        if "made again" in said:
            break
    assert f"the topic {topic} was deleted and made again" in said
    with pytest.raises(LogError, match="made again"):
        await log.imports.begin("a", "d2")
    progress = await log.imports.find("a", "d1")
    assert progress is not None
    assert progress.taken == 10
    await log.close()

    # Nor do another process, and a later one, append to it.
    other = open_log(url, partitions=PARTITIONS)
    with pytest.raises(LogError, match="made again"):
        await other.imports.append("a", "d1", 10, 11, 1, b"chunk")
    assert await other.reader.read({0: 0, 1: 0}, limit=10) == {}
    await other.close()


async def test_no_import_begins_on_a_log_that_was_moved(kafka: KafkaServer) -> None:
    log = open_log(kafka.url(f"hits-{secrets.token_hex(4)}"), partitions=PARTITIONS)
    await log.check(unsafe_eviction=False)
    await log.admin.set_mark(MoveMark("1", Way.OUT, "redis://new/0", done=True))
    with pytest.raises(LogError, match="this log was moved to redis://new/0"):
        await log.imports.begin("a", "d1")
    await log.close()


async def test_an_import_whose_time_is_over_is_not_known(kafka: KafkaServer) -> None:
    log = open_log(kafka.url(f"hits-{secrets.token_hex(4)}"), partitions=PARTITIONS)
    await log.check(unsafe_eviction=False)
    over = KnownImport(
        key=import_producer("a", "d1"),
        partition=0,
        taken=9,
        hits=3,
        position=1,
        salt="",
        sealed=True,
        seconds=-1,
    )
    await log.admin.take_imports(KnownImports([over], {}))
    assert await log.imports.find("a", "d1") is None
    assert (await log.admin.imports()).imports == []
    assert await log.imports.append("a", "d1", 9, 18, 3, b"chunk") == (ImportOutcome.LOST, 0)
    assert await log.imports.seal("a", "d1") is None
    begun = await log.imports.begin("a", "d1")
    assert (begun.taken, begun.hits, begun.position) == (0, 0, None)
    assert begun.salt
    assert await log.imports.append("a", "d1", 0, 9, 3, b"chunk") == (ImportOutcome.APPENDED, 9)
    await log.close()


async def test_whoever_adopts_the_spool_of_a_killed_ingest_ends_what_it_had_begun(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    log = open_log(kafka.url(topic), partitions=PARTITIONS)
    await log.check(unsafe_eviction=False)
    left = tmp_path / "0123456789abcdef"
    left.mkdir()
    killed = AIOKafkaProducer(
        bootstrap_servers=f"127.0.0.1:{kafka.port}",
        transactional_id=f"luot-{topic}-{left.name}",
        transaction_timeout_ms=600_000,
    )
    await killed.start()
    await killed.begin_transaction()
    await killed.send_and_wait(topic, b"in doubt", partition=0)
    producer = log.producer(30.0)
    await producer.append([LogEntry(0, "q", 1, 1, b"hit")])
    assert await log.reader.read({0: 0}, limit=10) == {}, "what is in doubt holds it up"

    spool = Spool(tmp_path, 1 << 30, PARTITIONS, system_clock)
    await spool.open()
    drain = Drain(
        log, spool, CircuitBreaker(), partial(log.check, unsafe_eviction=False), system_clock
    )
    drain.start()
    found = await log.reader.read({0: 0}, limit=10, wait=PATIENCE_SECONDS)
    assert [record.value for record in found[0]] == [b"hit"]
    await drain.stop()
    await drain.close()
    spool.close()
    await producer.close()
    await stop_now(killed)
    await log.close()


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


async def test_a_note_whose_commit_failed_for_no_named_reason_is_looked_for_and_written(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coordinator that is fenced in the midst of a commit answers with an unknown error."""
    handle, failures = EndTxnHandler.handle_response, [UnknownError(), UnknownError()]

    def handled(handler: EndTxnHandler, response: Any) -> Any:
        if failures:
            raise failures.pop()
        return handle(handler, response)

    monkeypatch.setattr(EndTxnHandler, "handle_response", handled)
    log = open_log(f"kafka://127.0.0.1:{kafka.port}/unnamed", partitions=PARTITIONS)
    try:
        await log.check(unsafe_eviction=False)
        await log.identify("a1")
        assert await log.identity() == "a1"
        assert not failures
    finally:
        await log.close()


async def test_a_chunk_sent_again_while_another_import_hangs_is_in_the_log_once(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = f"hits-{secrets.token_hex(4)}"
    log = open_log(kafka.url(topic), partitions=PARTITIONS, answer_seconds=5.0)
    await log.check(unsafe_eviction=False)
    await log.imports.begin("b", "d1")
    hung = AIOKafkaProducer(
        bootstrap_servers=f"127.0.0.1:{kafka.port}",
        transactional_id=f"hung-{topic}",
        transaction_timeout_ms=600_000,
    )
    await hung.start()
    await hung.begin_transaction()
    hangs: list[bool] = []
    send = KafkaNotes._send

    async def sent(notes: KafkaNotes, producer: AIOKafkaProducer, wanted: NotesChange) -> int:
        if not hangs:
            hangs.append(True)
            await hung.send_and_wait(f"{topic}-notes", b"hung", key=b"hung", partition=0)
        return await send(notes, producer, wanted)

    # The other import writes its note after this one has read all notes, and before its own.
    monkeypatch.setattr(KafkaNotes, "_send", sent)
    for _ in range(2):
        with pytest.raises(LogError, match="in time"):
            await log.imports.append("b", "d1", 0, 9, 3, b"chunk")
    # Nor can it be said what is known of imports.
    with pytest.raises(LogError, match="in time"):
        await log.admin.imports()
    assert hangs
    await hung.abort_transaction()
    await hung.stop()
    again = await log.imports.append("b", "d1", 0, 9, 3, b"chunk")
    assert again == (ImportOutcome.REPEATED, 9)
    read = await log.reader.read({0: 0, 1: 0}, limit=10)
    assert [each.value for records in read.values() for each in records] == [b"chunk"]
    progress = await log.imports.find("b", "d1")
    assert progress is not None
    assert (progress.taken, progress.hits) == (9, 3)
    [known] = (await log.admin.imports()).imports
    assert (known.taken, known.hits) == (9, 3)
    await log.close()


async def test_an_import_out_of_time_does_not_hold_up_those_of_other_sites(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = kafka.url(f"hits-{secrets.token_hex(4)}")
    log = open_log(url, partitions=PARTITIONS, answer_seconds=5.0)
    await log.check(unsafe_eviction=False)
    for site in ("a", "b"):
        await log.imports.begin(site, "d1")
    send = KafkaNotes._send

    async def unanswered(notes: KafkaNotes, producer: AIOKafkaProducer, wanted: NotesChange) -> int:
        await send(notes, producer, wanted)
        await asyncio.Event().wait()
        raise AssertionError("nothing sets it")

    with monkeypatch.context() as slow:
        slow.setattr(KafkaNotes, "_send", unanswered)
        with pytest.raises(LogError, match="in time"):
            await log.imports.append("a", "d1", 0, 9, 3, b"a")
    assert await log.imports.append("b", "d1", 0, 9, 3, b"b") == (ImportOutcome.APPENDED, 9)
    assert await log.imports.append("a", "d1", 0, 9, 3, b"a") == (ImportOutcome.APPENDED, 9)
    read = await log.reader.read({0: 0, 1: 0}, limit=10)
    assert sorted(each.value for records in read.values() for each in records) == [b"a", b"b"]
    await log.close()


async def test_whoever_notes_what_is_written_fetches_no_hits(kafka: KafkaServer) -> None:
    url = kafka.url(f"hits-{secrets.token_hex(4)}")
    await appended(url)
    log = open_log(url, partitions=PARTITIONS)
    assert isinstance(log, KafkaLog)
    ends = await log.reader.ends()
    await log.positions.note_written(ends)
    assert await log.positions.written() == ends
    await log.positions.set_committed(dict(ends))
    committers = list(log._cluster._committers.values())
    assert len(committers) == 2
    everything = {log._topic.partition(number) for number in ends}
    assert [each.paused() for each in committers] == [everything] * 2
    await log.close()


async def test_a_command_ends_when_it_is_no_longer_the_only_member(
    kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "HOLD_SECONDS", 3)
    url = kafka.url(f"hits-{secrets.token_hex(4)}")
    await appended(url)
    log, other = (open_log(url, partitions=PARTITIONS) for _ in range(2))

    async def held() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), log.positions.hold():
            await other.positions.disown()
            await asyncio.Event().wait()

    with pytest.raises(HoldLostError, match="stop every aggregator"):
        await held()
    assert await other.positions.owners() == {}
    for each in (log, other):
        await each.close()


async def test_a_command_that_was_thrown_out_commits_nothing(kafka: KafkaServer) -> None:
    url = kafka.url(f"hits-{secrets.token_hex(4)}")
    await appended(url)
    log, other = (open_log(url, partitions=PARTITIONS) for _ in range(2))

    async def joined_again() -> None:
        async with log.positions.hold():
            before = await other.positions.owners()
            await other.positions.disown()
            for _ in rounds(0.1):
                if await other.positions.owners() == before:
                    break
                await asyncio.sleep(0.1)
            await log.positions.set_committed({0: 1})

    with pytest.raises(HoldLostError, match="stop every aggregator"):
        await joined_again()
    assert await other.positions.committed() == {}
    for each in (log, other):
        await each.close()


async def test_what_a_worker_that_was_thrown_out_commits_is_not_taken_for_committed(
    kafka: KafkaServer,
) -> None:
    url = kafka.url(f"hits-{secrets.token_hex(4)}")
    await appended(url)
    worker, command = (open_log(url, partitions=PARTITIONS) for _ in range(2))
    assert isinstance(worker, KafkaLog)
    await worker.member.join("worker", 6.0)
    assert worker.member.owned == {0, 1}
    await command.positions.disown()
    async with command.positions.hold():
        for _ in rounds(0.05):
            if not worker.member.owned:
                break
            await asyncio.sleep(0.05)
        with pytest.raises(LogError):
            await worker.member.commit({0: 1})
    await worker.member.leave()
    assert await worker.member.commit({0: 1}) == set()
    assert await command.positions.committed() == {}
    for each in (worker, command):
        await each.close()
