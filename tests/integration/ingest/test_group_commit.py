"""The group commit against a real Redis, and a network that loses replies."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.ingest.circuit_breaker import FIRST_BACK_OFF_SECONDS, CircuitBreaker
from services.ingest.commit import WAIT_SECONDS, WORTH_HITS, GroupCommit, UnavailableError
from services.ingest.spool.drain import Drain
from services.ingest.spool.spool import Spool
from services.log.batch import decode
from services.log.entries import Batcher
from services.log.open import open_log
from services.model.hit import Hit
from services.model.partition import partition_of
from services.runtime.clock import system_clock
from tests.chaos.proxy import Proxy
from tests.integration.ingest.conftest import NOON, Log
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.kafka import KafkaServer
from tests.servers.pace import Pace

PARTITIONS = 4


def hit(number: int, site: str = "mytho") -> Hit:
    return Hit(site=site, path=f"/{number}", at=NOON + number, day=19_676, visitor=7)


@asynccontextmanager
async def group_commit(
    at: int | str,
    folder: Path,
    *,
    window_seconds: float = 0.0,
    max_hits: int = 500,
    max_waiting: int = 10_000,
    append_seconds: float = 0.5,
    wait_seconds: float = WAIT_SECONDS,
    spool_bytes: int = 1 << 20,
    breaker: CircuitBreaker | None = None,
    answer_seconds: float = 0.5,
) -> AsyncIterator[GroupCommit]:
    """Run a group commit into the log at a URL, or in the Redis at a port."""
    url = at if isinstance(at, str) else f"redis://127.0.0.1:{at}"
    logged = open_log(url, partitions=PARTITIONS, answer_seconds=answer_seconds)
    producer = logged.producer()
    spool = Spool(Path(mkdtemp(dir=folder)), spool_bytes, PARTITIONS, system_clock)
    await spool.open()
    breaker = breaker or CircuitBreaker()

    async def check() -> None:
        await logged.reader.now()

    drain = Drain(logged, spool, breaker, check, system_clock, answer_seconds)
    commit = GroupCommit(
        producer,
        Batcher(PARTITIONS),
        spool,
        breaker,
        window_seconds=window_seconds,
        max_hits=max_hits,
        max_waiting=max_waiting,
        append_seconds=append_seconds,
        wait_seconds=wait_seconds,
    )
    commit.start()
    drain.start()
    try:
        yield commit
    finally:
        await commit.stop()
        await drain.stop()
        spool.close()
        await producer.close()
        await drain.close()
        await logged.close()


async def taken(commit: GroupCommit, taking: Hit) -> bool:
    try:
        await commit.submit(taking)
    except UnavailableError:
        return False
    return True


class Line:
    """A network between ingest and Redis; replies to an append are lost while `losing` > 0."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._talks: set[asyncio.Task[None]] = set()
        self.losing = 0
        self.lost = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            # Each ends as soon as its client has hung up; no loop may end before.
            await asyncio.gather(*self._talks)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        appending = False

        async def requests(data: bytes) -> bool:
            nonlocal appending
            appending = appending or b"EVALSHA" in data
            up_writer.write(data)
            return True

        async def replies(data: bytes) -> bool:
            if appending and self.losing and not data.startswith(b"-NOSCRIPT"):
                self.losing -= 1
                self.lost += 1
                return False
            writer.write(data)
            return True

        pumps = [
            asyncio.create_task(_pump(reader, requests)),
            asyncio.create_task(_pump(up_reader, replies)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        writer.close()
        up_writer.close()
        await asyncio.gather(*pumps)


async def _pump(reader: asyncio.StreamReader, each: Callable[[bytes], Awaitable[bool]]) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            if not await each(data):
                return


async def test_hits_that_come_together_are_appended_together(log: Log, tmp_path: Path) -> None:
    async with group_commit(log.server.port, tmp_path, window_seconds=0.02) as commit:
        await asyncio.gather(*(commit.submit(hit(number)) for number in range(300)))
    (stream,) = log.redis.scan_iter("hits:{*}")
    assert log.redis.xlen(stream) == 1
    assert log.hits() == [hit(number) for number in range(300)]


async def test_a_full_group_does_not_wait_for_the_window(log: Log, tmp_path: Path) -> None:
    async with group_commit(log.server.port, tmp_path, window_seconds=60, max_hits=10) as commit:
        async with asyncio.timeout(90):
            await asyncio.gather(*(commit.submit(hit(number)) for number in range(10)))
    assert len(log.hits()) == 10


async def test_a_hit_after_a_pause_does_not_wait_for_the_window(log: Log, tmp_path: Path) -> None:
    async with group_commit(log.server.port, tmp_path, window_seconds=60) as commit:
        async with asyncio.timeout(90):
            await commit.submit(hit(1))
        assert log.hits() == [hit(1)]


async def test_hits_that_follow_closely_wait_until_there_are_enough_of_them(
    log: Log, tmp_path: Path
) -> None:
    enough = WORTH_HITS * PARTITIONS
    async with group_commit(log.server.port, tmp_path, window_seconds=60) as commit:
        async with asyncio.timeout(90):
            await commit.submit(hit(0))
            pending = [commit.submit(hit(number)) for number in range(1, enough)]
            await asyncio.sleep(0)
            assert not any(done.done() for done in pending)
            pending.append(commit.submit(hit(enough)))
            await asyncio.gather(*pending)
    (stream,) = log.redis.scan_iter("hits:{*}")
    assert log.redis.xlen(stream) == 2


async def test_a_stop_appends_what_was_taken_and_takes_no_more(log: Log, tmp_path: Path) -> None:
    async with group_commit(log.server.port, tmp_path, window_seconds=60) as commit:
        done = commit.submit(hit(1))
        await commit.stop()
        assert done.done()
        assert done.exception() is None
        with pytest.raises(UnavailableError, match="stopping"):
            commit.submit(hit(2))
    assert log.hits() == [hit(1)]


async def test_hits_of_several_partitions_are_all_there_when_one_is_answered(
    log: Log, tmp_path: Path
) -> None:
    sites = [f"site{number}" for number in range(20)]
    async with group_commit(log.server.port, tmp_path, window_seconds=0.02) as commit:
        pending = [commit.submit(hit(number, site)) for number, site in enumerate(sites)]
        await pending[0]
        assert {found.site for found in log.hits()} == set(sites)
        await asyncio.gather(*pending)
    assert len(list(log.redis.scan_iter("hits:{?}"))) == PARTITIONS


async def test_too_many_waiting_hits_are_refused_at_once(log: Log, tmp_path: Path) -> None:
    async with group_commit(log.server.port, tmp_path, window_seconds=60, max_waiting=2) as commit:
        pending = [commit.submit(hit(1)), commit.submit(hit(2))]
        with pytest.raises(UnavailableError, match="2 hits are waiting"):
            commit.submit(hit(3))
        await commit.stop()
        await asyncio.gather(*pending)
    assert len(log.hits()) == 2


async def test_a_hit_whose_reply_was_lost_is_counted_once(log: Log, tmp_path: Path) -> None:
    line = Line(log.server.port)
    async with line.open() as port, group_commit(port, tmp_path) as commit:
        await commit.submit(hit(0))
        line.losing = 2
        await commit.submit(hit(1))
        await commit.submit(hit(2))
    assert line.lost == 2
    assert log.hits() == [hit(0), hit(1), hit(2)]


async def test_hits_whose_replies_are_all_lost_go_to_the_spool_and_count_once(
    log: Log, tmp_path: Path
) -> None:
    line = Line(log.server.port)
    async with line.open() as port, group_commit(port, tmp_path, max_hits=100) as commit:
        await commit.submit(hit(0))
        line.losing = 10
        await asyncio.gather(*(commit.submit(hit(number)) for number in range(1, 1200)))
    assert line.lost
    assert log.hits() == [hit(number) for number in range(1200)]


async def test_without_redis_and_room_everybody_who_waits_is_told(log: Log, tmp_path: Path) -> None:
    line = Line(log.server.port)
    async with (
        line.open() as port,
        group_commit(port, tmp_path, append_seconds=0.5, spool_bytes=0) as commit,
    ):
        await commit.submit(hit(0))
        line.losing = 10_000
        pending = [commit.submit(hit(number)) for number in range(1, 1200)]
        results = await asyncio.gather(*pending, return_exceptions=True)
        assert {type(result) for result in results} == {UnavailableError}
        assert str(commit.fault).startswith("hits cannot be taken: the spool holds")
        line.losing = 0
        for _ in rounds(0.05):
            if await taken(commit, hit(2000)):
                break
            await asyncio.sleep(0.05)
        assert not commit.fault
    paths = [found.path for found in log.hits()]
    assert len(paths) == len(set(paths)), "a hit was appended twice"
    assert "/2000" in paths


async def test_a_request_that_is_cancelled_leaves_the_others_alone(
    log: Log, tmp_path: Path
) -> None:
    async with group_commit(log.server.port, tmp_path, window_seconds=0.02) as commit:
        gone, staying = commit.submit(hit(1)), commit.submit(hit(2))
        gone.cancel()
        await staying
    assert hit(2) in log.hits()


async def test_a_hit_that_cannot_be_written_does_not_end_the_commits(
    log: Log, tmp_path: Path
) -> None:
    async with group_commit(log.server.port, tmp_path) as commit:
        with pytest.raises(UnavailableError):
            await commit.submit(Hit(site="mytho", path="/\ud800", at=NOON, day=1))
        await commit.submit(hit(1))
        assert commit.running
    assert log.hits() == [hit(1)]


async def test_an_absence_of_redis_is_bridged_by_the_spool(own_log: Log, tmp_path: Path) -> None:
    async with group_commit(own_log.server.port, tmp_path) as commit:
        await commit.submit(hit(0))
        own_log.server.kill()
        await asyncio.gather(*(commit.submit(hit(number)) for number in range(1, 50)))
        await asyncio.to_thread(own_log.server.start)
        await commit.submit(hit(50))
    assert own_log.hits() == [hit(number) for number in range(51)]


def appended() -> tuple[float, float, float]:
    """Return what the metrics say: hits that were appended together, appends, and those timed."""
    sums = ("hits_sum", "hits_count", "seconds_count")
    hits, groups, timed = (REGISTRY.get_sample_value(f"luot_group_commit_{name}") for name in sums)
    return hits or 0, groups or 0, timed or 0


async def test_what_goes_to_the_spool_is_no_append_to_the_log(own_log: Log, tmp_path: Path) -> None:
    async with group_commit(own_log.server.port, tmp_path) as commit:
        hits, groups, timed = appended()
        await commit.submit(hit(0))
        assert appended() == (hits + 1, groups + 1, timed + 1)
        own_log.server.kill()
        await asyncio.gather(*(commit.submit(hit(number)) for number in range(1, 50)))
        assert appended() == (hits + 1, groups + 1, timed + 1)
        await asyncio.to_thread(own_log.server.start)


class WatchedBreaker(CircuitBreaker):
    """A breaker that counts how often it was opened, and how often for slowness."""

    times_opened = 0
    turns = 0

    def open(self, why: str, *, slow: bool = False) -> None:
        if self.closed:
            self.times_opened += 1
            self.turns += slow
        super().open(why, slow=slow)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


async def test_a_kafka_that_keeps_up_again_takes_the_next_hit_directly(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    url, breaker = kafka.url("hits"), WatchedBreaker()
    async with group_commit(
        url,
        tmp_path,
        append_seconds=PATIENCE_SECONDS,
        wait_seconds=PATIENCE_SECONDS,
        answer_seconds=PATIENCE_SECONDS,
        breaker=breaker,
    ) as commit:
        await commit.submit(hit(0))
        patience, commit._wait_seconds = commit._wait_seconds, -1.0
        await commit.submit(hit(1))
        commit._wait_seconds = patience
        assert (breaker.times_opened, breaker.turns) == (1, 1)
        for _ in rounds(0.05):
            if breaker.closed:
                break
            await asyncio.sleep(0.05)
        await commit.submit(hit(2))
        assert (breaker.closed, breaker.times_opened) == (True, 1)
    log = open_log(url, partitions=PARTITIONS, answer_seconds=PATIENCE_SECONDS)
    partition = partition_of("mytho", PARTITIONS)
    found = (await log.reader.read({partition: 0}, limit=10)).get(partition, ())
    await log.close()
    assert [each.path for entry in found for each in decode(entry.value, hits=1).hits()] == [
        *("/0", "/1", "/2")
    ]


def most_turns(delay: float, seconds: float) -> int:
    """Return how often a breaker may open for slowness: visitors wait at every turn.

    Before each, a hit has waited for its turn and an append of the drain has closed it; and it
    backs off twice as long each time.
    """
    turns, at, back_off = 0, WAIT_SECONDS, 0.0
    while at <= seconds:
        turns += 1
        at += back_off + delay + WAIT_SECONDS
        back_off = max(2 * back_off, FIRST_BACK_OFF_SECONDS)
    return turns


async def test_a_redis_that_is_too_slow_for_what_comes_refuses_nobody_and_keeps_nobody_waiting(
    log: Log, tmp_path: Path
) -> None:
    breaker = WatchedBreaker()
    longest = 0.0

    async def send(number: int) -> None:
        nonlocal longest
        began = pace()
        await commit.submit(hit(number))
        longest = max(longest, pace() - began)

    async with (
        Pace() as pace,
        Proxy(log.server.port) as proxy,
        group_commit(
            proxy.port,
            tmp_path,
            max_hits=50,
            max_waiting=1000,
            spool_bytes=1 << 24,
            breaker=breaker,
        ) as commit,
    ):
        await commit.submit(hit(0))
        proxy.delay = 0.3
        began = time.monotonic()
        # 600 hits a second; the log takes a third of that.
        sent = [asyncio.create_task(send(0))]
        for number in range(1, 3601, 30):
            sent += [asyncio.create_task(send(each)) for each in range(number, number + 30)]
            await asyncio.sleep(0.05)
        await asyncio.gather(*sent)
        assert longest < 2
        assert breaker.times_opened >= 1
        assert breaker.turns <= most_turns(proxy.delay, time.monotonic() - began)
        assert len(log.hits()) > 1800, "what is spooled is drained meanwhile"

        proxy.delay = 0
        async with asyncio.timeout(60):
            while not breaker.closed:  # noqa: ASYNC110  # it tells only when it opens
                await asyncio.sleep(0.02)
        await commit.submit(hit(4000))
    (stream,) = log.redis.scan_iter("hits:{*}")
    found: Any = log.redis.xrange(stream)
    sequences = [int(fields[b"s"]) for _, fields in found]
    assert sequences == sorted(set(sequences))
    assert len(log.hits()) == 3603
    assert {each.path for each in log.hits()} == {f"/{n}" for n in [*range(3601), 4000]}
