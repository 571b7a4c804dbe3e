"""One contract for every driver of the log; a new driver is found, and held to it, by itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pkgutil import iter_modules

import pytest
from redis.asyncio import Redis

from services.log import drivers, keys
from services.log.entries import Batcher, LogEntry
from services.log.errors import LogError, LogInUseError, LogRefusedError
from services.log.import_log import ImportOutcome
from services.log.interface import READ_BYTES, Log, Record
from services.log.open import DEFAULT_GROUP, log_driver, open_log
from services.log.reach import reach_seconds
from services.log.redis import replicas
from services.log.written_number import written_number
from services.model.hit import Hit
from services.model.log_schemes import LOG_SCHEMES
from services.model.partition import partition_of
from services.model.sentinel_address import is_sentinel_url
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer, free_port
from tests.servers.redis_cluster import RedisCluster
from tests.servers.replicas import Watched

PARTITIONS = 4
SITE = "mytho"
PARTITION = partition_of(SITE, PARTITIONS)
DIGEST = "d" * 64
VISIBLE_SECONDS = 1.0

HELD = "redis+cluster, held"
"""A cluster whose replicas must hold each entry."""
SHORT = "redis, short"
"""A log all of whose readers know short entries."""
SERVED = {
    *("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"),
    *("redis+cluster", "rediss+cluster", "kafka", "kafkas"),
}
"""Schemes of a driver that needs a server; all others are opened at a name of their own."""
SCHEMES = [
    "redis",
    "redis+sentinel",
    "redis+cluster",
    HELD,
    SHORT,
    "kafka",
    *(scheme for scheme in LOG_SCHEMES if scheme not in SERVED),
]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = Watched(tmp_path_factory.mktemp("watched"), servers=2, sentinels=1)
    try:
        yield watched.start()
    finally:
        watched.stop()


@pytest.fixture(scope="module")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster"), replicas=True) as cluster:
        yield cluster


@pytest.fixture(params=SCHEMES)
def url(request: pytest.FixtureRequest) -> str:
    """Where an empty log is."""
    if request.param == "kafka":
        kafka: KafkaServer = request.getfixturevalue("kafka_server")
        return kafka.url(f"hits-{secrets.token_hex(4)}")
    if request.param == "redis+sentinel":
        watched: Watched = request.getfixturevalue("watched")
        with watched.master.client() as client:
            client.flushall()
        return watched.url()
    if request.param in ("redis+cluster", HELD):
        cluster: RedisCluster = request.getfixturevalue("redis_cluster")
        cluster.flush()
        return cluster.url()
    if request.param not in ("redis", SHORT):
        return f"{request.param}://{secrets.token_hex(4)}"
    server: RedisServer = request.getfixturevalue("redis_server")
    with server.client() as client:
        client.flushall()
    return server.url


def opened(url: str, *, partitions: int = PARTITIONS, group: str = DEFAULT_GROUP) -> Log:
    """Return the log of a URL, which may take as long as a busy machine needs."""
    return open_log(url, partitions=partitions, group=group, answer_seconds=2 * PATIENCE_SECONDS)


@pytest.fixture
async def log(
    url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Log]:
    # On a busy machine a replica may need long; who would repeat a call is not here.
    monkeypatch.setattr(replicas, "WAIT_MS", round(PATIENCE_SECONDS * 1000))
    log = opened(url)
    if is_sentinel_url(url) or HELD in request.node.name:
        log.require_replicas(1)
    if SHORT in request.node.name:
        async with Redis.from_url(url) as client:
            await client.set(keys.SHORT, 1)
            await log.check(unsafe_eviction=False)
            await client.delete(keys.PARTITIONS)
    yield log
    await log.close()


def hit(number: int, site: str = SITE) -> Hit:
    return Hit(site=site, path=f"/{number}", at=1_700_000_000_000 + number, day=19_676, visitor=7)


def entries(count: int, producer: str = "p") -> list[LogEntry]:
    """Return so many entries of one producer, one hit each, all of one partition."""
    batcher = Batcher(PARTITIONS, producer)
    return [entry for number in range(count) for entry in batcher.prepare([hit(number)])]


async def append(log: Log, *given: LogEntry) -> None:
    producer = log.producer()
    await producer.append(given)
    await producer.close()


async def append_apart(log: Log, count: int) -> list[Record]:
    """Append entries some milliseconds apart; return how they stand in the log."""
    for entry in entries(count):
        await append(log, entry)
        await asyncio.sleep(0.003)
    for _ in rounds(0.02):
        if len(records := await read(log)) == count:
            return records
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(records)} of {count} entries")


async def read(log: Log, at: int = 0) -> list[Record]:
    # Kafka shows what was appended a moment after it has said that it has it.
    records = await log.reader.read({PARTITION: at}, limit=1000, wait=VISIBLE_SECONDS)
    return list(records.get(PARTITION, ()))


async def sequences(log: Log, last: int) -> list[int]:
    """Return the sequences in the log, as soon as the last is there, or none comes for a while."""
    ends = asyncio.get_running_loop().time() + 30 * VISIBLE_SECONDS
    while True:
        found = [int(record.headers["s"]) for record in await read(log)]
        if last in found or asyncio.get_running_loop().time() > ends:
            return found
        await asyncio.sleep(0.02)


async def test_a_log_knows_which_it_is_once_it_was_told(log: Log) -> None:
    assert await log.identity() is None
    await log.identify("a1")
    await log.identify("b2")
    assert await log.identity() == "b2"


async def test_a_log_that_several_make_at_once_is_made_once(url: str) -> None:
    logs = [opened(url) for _ in range(3)]
    try:
        async with asyncio.TaskGroup() as together:
            for log in logs:
                together.create_task(log.check(unsafe_eviction=False))
        await append(logs[0], *entries(1))
        found = [await read(log) for log in logs]
        assert [len(records) for records in found] == [1, 1, 1]
        assert found == found[:1] * 3
    finally:
        for log in logs:
            await log.close()


async def test_what_was_written_never_goes_back_until_it_is_forgotten(log: Log) -> None:
    positions = log.positions
    assert await positions.written() == {}
    high = 1_999_999_999_999 << 20
    await positions.note_written({0: 7, 1: high})
    await positions.note_written({0: 10, 1: high - 1, 2: 5})
    await positions.note_written({0: 9, 1: high + 1})
    assert await positions.written() == {0: 10, 1: high + 1, 2: 5}
    await positions.forget_written()
    assert await positions.written() == {}


async def test_what_was_written_to_shards_is_known_of_each(log: Log) -> None:
    positions = log.positions
    first, second = written_number(1, 0), written_number(1, 1)
    await positions.note_written({first: 7, second: 5})
    await positions.note_written({first: 6, second: 9, written_number(0, 1): 3})
    known = {first: 7, second: 9, written_number(0, 1): 3}
    assert await positions.written(2) == known
    assert await positions.written(None) == known
    await positions.forget_written(2)
    assert await positions.written(2) == {}
    # Shards of which nothing is noted, as of no sites, hide none that follow.
    eleventh = written_number(0, 10)
    await positions.note_written({eleventh: 3})
    assert await positions.written(None) == {eleventh: 3}
    await positions.forget_written(None)
    assert await positions.written(None) == {}


# Producer


async def test_entries_stand_in_the_log_in_the_order_given(log: Log) -> None:
    given = entries(50)
    await append(log, *given)
    records = await read(log)
    assert [record.value for record in records] == [entry.payload for entry in given]
    assert await sequences(log, 50) == list(range(1, 51))
    assert {record.headers["p"] for record in records} == {b"p"}
    positions = [record.position for record in records]
    assert positions == sorted(set(positions))


async def test_an_entry_given_again_is_in_the_log_once(log: Log) -> None:
    given = entries(10)
    await append(log, *given[:4])
    await append(log, *given[2:])
    await append(log, *given)
    assert await sequences(log, 10) == list(range(1, 11))


async def test_one_append_reaches_several_partitions(log: Log) -> None:
    sites = [f"site-{number}" for number in range(40)]
    prepared = Batcher(PARTITIONS).prepare([hit(0, site) for site in sites])
    assert len(prepared) == PARTITIONS
    await append(log, *prepared)
    for _ in rounds(0.02):
        records = await log.reader.read(dict.fromkeys(range(PARTITIONS), 0), limit=10)
        if len(records) == PARTITIONS:
            break
        await asyncio.sleep(0.02)
    assert {number: [each.value for each in found] for number, found in records.items()} == {
        entry.partition: [entry.payload] for entry in prepared
    }


async def test_a_producer_that_is_opened_again_knows_its_last_sequences(log: Log) -> None:
    producer = log.producer(PATIENCE_SECONDS)
    assert await producer.open("p") == {}
    await producer.append(entries(3))
    assert await producer.open("p") == {PARTITION: 3}
    assert await producer.open("another") == {}
    await producer.abandon()
    await producer.append(entries(5))
    assert await sequences(log, 5) == [1, 2, 3, 4, 5]
    await producer.forget()
    assert await producer.open("p") == {PARTITION: 5}, "it is forgotten in time, not at once"
    await producer.close()


# Reader


async def test_a_read_begins_at_a_position_and_takes_no_more_than_asked(log: Log) -> None:
    records = await append_apart(log, 5)
    assert await read(log, records[2].position) == records[2:]
    assert await read(log, records[2].position + 1) == records[3:]
    some = await log.reader.read({PARTITION: 0}, limit=2)
    assert some[PARTITION] == records[:2]


async def test_a_read_takes_so_many_bytes_and_at_least_one_entry(log: Log) -> None:
    sizes = [READ_BYTES // 4] * 6 + [10] * 20 + [2 * READ_BYTES, 10]
    producer = log.producer()
    await producer.open("large")
    for sequence, size in enumerate(sizes, 1):
        await producer.append([LogEntry(PARTITION, "large", sequence, 1, b"x" * size)])
    await producer.close()

    at, reads = 0, []
    while records := (await log.reader.read({PARTITION: at}, limit=100, wait=VISIBLE_SECONDS)).get(
        PARTITION
    ):
        reads.append([len(record.value) for record in records])
        at = records[-1].position + 1

    assert [size for read in reads for size in read] == sizes
    assert all(sum(read) <= READ_BYTES or len(read) == 1 for read in reads)
    assert len(reads) < 6


async def test_a_read_waits_for_what_is_not_there_yet(log: Log) -> None:
    reading = asyncio.create_task(log.reader.read({PARTITION: 0}, limit=10, wait=60.0))
    await asyncio.sleep(0.05)
    await append(log, *entries(1))
    records = await asyncio.wait_for(reading, 50)
    assert len(records[PARTITION]) == 1
    assert await log.reader.read({PARTITION: records[PARTITION][0].position + 1}, limit=1) == {}


async def test_the_end_is_behind_the_last_entry(log: Log) -> None:
    assert await log.reader.ends() == dict.fromkeys(range(PARTITIONS), 0)
    await append(log, *entries(3))
    last = (await read(log))[-1].position
    assert (await log.reader.ends([PARTITION])) == {PARTITION: last + 1}


# Positions


async def test_times_and_positions_belong_together(log: Log) -> None:
    records = await append_apart(log, 6)
    positions, number = log.positions, PARTITION
    for record in records:
        assert await positions.time_of(number, record.position) == record.time_ms
        at = await positions.at_time(number, record.time_ms)
        assert [each for each in records if each.position < at] == [
            each for each in records if each.time_ms < record.time_ms
        ]
    assert await positions.time_of(number, records[-1].position + 1) == records[-1].time_ms
    assert await positions.at_time(number, 0) <= records[0].position
    late = await positions.at_time(number, await log.reader.now() + 60_000)
    assert late > records[-1].position
    assert records[0].time_ms <= await log.reader.now()


async def test_log_time_before_what_was_read(log: Log) -> None:
    records = await append_apart(log, 6)
    committed = records[4].position + 1
    rewound = await log.positions.rewound(PARTITION, committed, 5)
    kept = [record for record in records if rewound <= record.position < committed]
    assert [each.time_ms for each in kept] == [
        each.time_ms for each in records[:5] if each.time_ms >= records[4].time_ms - 5
    ]
    assert await log.positions.rewound(PARTITION, committed, 0) == committed
    assert await log.positions.rewound(PARTITION, 0, 5) == 0


async def test_what_is_committed_can_be_set_back_and_is_a_groups_own(log: Log, url: str) -> None:
    positions = log.positions
    assert await positions.committed() == {}
    await positions.set_committed({0: (1 << 60) + 5, 1: 7})
    assert await positions.committed() == {0: (1 << 60) + 5, 1: 7}
    assert await positions.committed([1, 2]) == {1: 7}
    await positions.set_committed({0: 3, 1: None})
    assert await positions.committed() == {0: 3}
    other = opened(url, group="other")
    assert await other.positions.committed() == {}
    await other.close()


async def test_nobody_else_holds_the_partitions_meanwhile(log: Log, url: str) -> None:
    other = opened(url)
    async with log.positions.hold():
        assert set(await other.positions.owners()) == set(range(PARTITIONS))
        await log.positions.set_committed({0: 8, 1: None})
        assert await other.positions.committed() == {0: 8}
        with pytest.raises(LogInUseError, match="another command holds the log"):
            async with other.positions.hold():
                raise AssertionError("held twice")
    assert await other.positions.owners() == {}
    async with other.positions.hold():
        await log.positions.disown()
        assert await other.positions.owners() == {}
    await other.close()


async def test_extents_tell_how_far_a_partition_reaches(log: Log) -> None:
    extents = await log.positions.extents()
    assert [(each.first, each.end, each.entries) for each in extents] == [(None, 0, 0)] * PARTITIONS
    await append(log, *entries(3))
    records = await read(log)
    await log.positions.set_committed({PARTITION: records[1].position})
    (extent,) = await log.positions.extents([PARTITION])
    assert (extent.partition, extent.first, extent.end, extent.trimmed) == (
        *(PARTITION, records[0].position, records[2].position + 1, False),
    )
    assert extent.entries in {3, 4}, "Kafka counts the end of the transaction, too"
    assert extent.committed == records[1].position


async def test_a_trimmed_log_keeps_all_from_the_position_on(log: Log) -> None:
    await append(log, *entries(500))
    records = await read(log)
    before = records[400].position
    assert await log.positions.trim(PARTITION, before)
    kept = await read(log)
    assert kept[-100:] == records[400:]
    assert len(kept) < 500
    (extent,) = await log.positions.extents([PARTITION])
    assert (extent.trimmed, extent.first) == (True, kept[0].position)
    assert not await log.positions.trim(PARTITION, 0)


# Imports


async def test_a_chunk_of_an_import_is_appended_once_and_in_order(log: Log) -> None:
    payload = entries(1)[0].payload
    assert await log.imports.find(SITE, DIGEST) is None
    assert await log.imports.append(SITE, DIGEST, 0, 9, 1, payload) == (ImportOutcome.LOST, 0)
    begun = await log.imports.begin(SITE, DIGEST)
    assert (begun.taken, begun.hits, begun.position, len(begun.salt)) == (0, 0, None, 64)
    assert await log.imports.counted(SITE, begun)
    given = (SITE, DIGEST, 0, 9, 1, payload)
    assert await log.imports.append(*given) == (ImportOutcome.APPENDED, 9)
    assert await log.imports.append(*given) == (ImportOutcome.REPEATED, 9)
    gap = await log.imports.append(SITE, DIGEST, 11, 20, 1, payload)
    assert gap == (ImportOutcome.OUT_OF_ORDER, 9)
    (record,) = await read(log)
    assert (record.value, record.headers["n"], record.headers["s"]) == (payload, b"1", b"9")
    progress = await log.imports.begin(SITE, DIGEST)
    assert (progress.taken, progress.hits, progress.position, progress.salt) == (
        *(9, 1, record.position, begun.salt),
    )


async def test_an_import_is_counted_when_its_last_entry_is_committed(log: Log) -> None:
    first = await log.imports.begin(SITE, DIGEST)
    await log.imports.append(SITE, DIGEST, 0, 9, 1, entries(1)[0].payload)
    progress = await log.imports.find(SITE, DIGEST)
    assert progress is not None
    assert progress.position is not None
    assert not await log.imports.counted(SITE, progress)
    await log.positions.set_committed({PARTITION: progress.position})
    assert not await log.imports.counted(SITE, progress)
    await log.positions.set_committed({PARTITION: progress.position + 1})
    assert await log.imports.counted(SITE, progress)
    assert await log.imports.busy(SITE) is None
    await log.imports.finish(SITE, DIGEST)
    done = await log.imports.find(SITE, DIGEST)
    assert done is not None
    assert (done.taken, done.salt) == (9, "")
    assert (await log.imports.begin(SITE, "e" * 64)).salt == first.salt, "one salt for a site"


async def test_nothing_more_is_appended_of_an_import_that_is_sealed(log: Log) -> None:
    payload = entries(1)[0].payload
    assert await log.imports.seal(SITE, DIGEST) is None
    begun = await log.imports.begin(SITE, DIGEST)
    await log.imports.append(SITE, DIGEST, 0, 9, 1, payload)
    for _ in range(2):
        sealed = await log.imports.seal(SITE, DIGEST)
        assert sealed is not None
        assert (sealed.taken, sealed.hits, sealed.salt) == (9, 1, "")
        for after, upto in ((0, 9), (9, 20)):
            outcome = await log.imports.append(SITE, DIGEST, after, upto, 1, payload)
            assert outcome == (ImportOutcome.SEALED, 9)
    assert len(await read(log)) == 1
    again = await log.imports.begin(SITE, f"{DIGEST}.1")
    assert (again.taken, len(again.salt)) == (0, 64)
    assert again.salt != begun.salt, "visitors of what is undone are not known again"


# The log as a whole


async def test_a_log_has_the_partitions_it_was_created_with(log: Log, url: str) -> None:
    assert await log.created_with() is None
    await log.check(unsafe_eviction=False)
    await log.create()
    assert await log.created_with() == PARTITIONS
    other = opened(url, partitions=PARTITIONS + 1)
    with pytest.raises(LogRefusedError, match=f"LUOT_PARTITIONS={PARTITIONS + 1}: .* {PARTITIONS}"):
        await other.check(unsafe_eviction=False)
    assert await other.created_with() == PARTITIONS
    await other.close()


async def test_a_log_tells_of_its_server(log: Log) -> None:
    server, *_ = await log.examine()
    assert server.ok
    assert server.value
    assert await log.dead_entries() == 0


async def test_a_log_tells_how_much_memory_its_server_uses(log: Log) -> None:
    before = await log.memory()
    assert 0 <= before.share < 0.5
    big = LogEntry(PARTITION, "p", 1, 1, secrets.token_bytes(1 << 20))
    await append(log, big)
    after = await log.memory()
    if log.server_name == "Kafka":
        assert (after.used, after.limit) == (0, 0), "it does not tell"
        return
    assert 1 << 20 <= after.used - before.used < 4 << 20
    assert after.limit == before.limit


async def test_a_log_reaches_back_to_the_oldest_entry_that_every_partition_still_has(
    log: Log,
) -> None:
    assert await reach(log) is None
    first, *_, last = await append_apart(log, 400)
    now = await log.reader.now()
    whole = await reach(log)
    assert whole is not None
    assert whole >= (now - first.time_ms) / 1000
    elsewhere = LogEntry((PARTITION + 1) % PARTITIONS, "p", 1, 1, b"-")
    await append(log, elsewhere)
    again = await reach(log)
    assert again is not None
    assert again >= whole, "a partition that was never trimmed limits nothing"
    await log.positions.trim(PARTITION, last.position)
    [kept, *_] = await read(log)
    assert kept.position > first.position
    trimmed = await reach(log)
    assert trimmed is not None
    assert trimmed <= (await log.reader.now() - kept.time_ms) / 1000


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "kafka"])
async def test_a_log_that_is_away_says_so_without_what_was_sent(scheme: str) -> None:
    log = open_log(f"{scheme}://127.0.0.1:{free_port()}", partitions=PARTITIONS)
    producer = log.producer(1.0)
    for call in (
        lambda: producer.append(entries(1, "secret")),
        lambda: producer.open("secret"),
        lambda: log.reader.read({0: 0}, limit=1),
        lambda: log.positions.committed(),
        lambda: log.positions.extents(),
        lambda: log.imports.begin("secret", DIGEST),
        lambda: log.examine(),
        lambda: log.memory() if scheme != "kafka" else log.dead_entries(),
    ):
        with pytest.raises(LogError) as caught:
            await call()
        assert "secret" not in str(caught.value)
        assert "Connect call failed" in str(caught.value) or scheme == "kafka"
    await producer.close()
    await log.close()


async def reach(log: Log) -> float | None:
    return await reach_seconds(log, await log.positions.extents(), await log.reader.now())


def test_each_scheme_is_served_by_its_driver() -> None:
    for scheme, name in LOG_SCHEMES.items():
        assert log_driver(scheme).__module__ == f"{drivers.__name__}.{name}"
    assert {module.name for module in iter_modules(drivers.__path__)} == set(LOG_SCHEMES.values())


def test_a_log_of_no_driver_is_refused_without_its_password() -> None:
    with pytest.raises(
        ValueError, match=r"no driver .* kafkaesque:…; expected one of .*redis"
    ) as no:
        open_log("kafkaesque://user:secret@host/hits")
    assert "secret" not in str(no.value)
