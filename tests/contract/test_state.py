"""One contract for shared state: on one Redis and on a cluster, where keys are far apart."""

import asyncio
import secrets
from array import array
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from services.log import keys as log_keys
from services.log.open import open_log
from services.model.account import Role, User
from services.model.site import Metric
from services.redis_client.client import servers
from services.redis_client.memory import memory_use
from services.state import erased, kept_folds, keys
from services.state.access_version import AccessVersion
from services.state.alert_watch import watched_since
from services.state.changes import Notice, Notices
from services.state.correction_lock import renewed_correction_lock
from services.state.daily_paths import Appended, DailyPaths, DayTail
from services.state.errors import StateError
from services.state.half_sign_ins import HalfSignIns
from services.state.kept_folds import KeptFolds
from services.state.last_shown import MAX_PAGES, ShownNumbers
from services.state.lock import StateLock, renewed
from services.state.online import OnlineCount, OnlineCounts
from services.state.path_history import PathHistories, encode, version_of
from services.state.recent_hits import WINDOW_MS, UntrustedForwards
from services.state.salts import SharedSalts
from services.state.send_tokens import PublishedTokens, SendTokens
from services.state.sessions import Sessions
from services.state.sign_in_attempts import AttemptLimit, SignInAttempts
from services.state.sites import PublishedSites, SiteReaders
from services.state.spooled_hits import Spooled, SpooledHits
from services.state.state import State
from services.state.token_last_used import TokenTimes
from services.state.used_codes import UsedCodes
from tests.patience import limited, rounds
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster

SLUGS = [f"site-{number}" for number in range(30)]
"""So many that every master has some of what is kept of them."""
USER = User(name="lan", password="", role=Role.OWNER, stamp="a1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(params=["redis", "redis+cluster"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("server")
        with server.client() as client:
            client.flushall()
        return server.url
    cluster: RedisCluster = request.getfixturevalue("cluster")
    cluster.flush()
    return cluster.url()


@pytest.fixture
async def state(url: str) -> AsyncIterator[State]:
    state = State.open(url)
    yield state
    await state.close()


async def test_sites_are_read_as_they_were_published(state: State) -> None:
    sites = PublishedSites(state)
    bodies = {slug.encode(): b'{"slug": "%b"}' % slug.encode() for slug in SLUGS}
    await sites.publish(bodies)
    assert await sites.read() == bodies
    assert await sites.slugs() == set(SLUGS)
    del bodies[SLUGS[0].encode()]
    await sites.publish(bodies)
    assert await sites.read() == bodies


async def test_processes_that_know_the_sites_are_counted(state: State) -> None:
    sites = PublishedSites(state)
    bodies = {b"mytho": b"{}"}
    await sites.publish(bodies)
    for reader in SLUGS:
        await sites.acknowledge(reader, bodies)
    await sites.acknowledge("behind", {})
    assert await sites.readers() == SiteReaders(len(SLUGS) + 1, len(SLUGS))
    await state.redis.delete(*map(keys.site_reader, SLUGS))
    assert await sites.readers() == SiteReaders(1, 0)


async def test_no_sites_are_believed_only_while_nothing_was_lost(state: State, url: str) -> None:
    log = open_log(url)
    await log.create()
    await log.close()
    sites = PublishedSites(state)
    await sites.publish({b"mytho": b"{}"})
    assert (await sites.read_beside(log_keys.PARTITIONS)).has_log
    await sites.publish({})
    assert await sites.read_beside(log_keys.PARTITIONS) == ({}, True)
    await state.redis.delete(log_keys.PARTITIONS, keys.SITES_BESIDE)
    assert await sites.read_beside(log_keys.PARTITIONS) == ({}, False)


async def test_a_site_that_goes_takes_its_numbers_along(state: State) -> None:
    sites, shown = PublishedSites(state), ShownNumbers(state)
    await sites.publish({slug.encode(): b"{}" for slug in SLUGS})
    await shown.write_numbers({(slug, Metric.VIEWS): b"7" for slug in SLUGS})
    await shown.write_pages({(slug, "/a"): b"7" for slug in SLUGS})
    staying = SLUGS[:3]
    await sites.publish({slug.encode(): b"{}" for slug in staying})
    numbers = await shown.numbers([(slug, Metric.VIEWS) for slug in SLUGS])
    pages = await shown.pages([(slug, "/a") for slug in SLUGS])
    assert {slug for slug, _ in numbers.bodies} == set(staying)
    assert {slug for slug, _ in pages.bodies} == set(staying)


async def test_numbers_of_before_a_reset_are_gone(state: State) -> None:
    shown = ShownNumbers(state)
    for slug in SLUGS:
        await shown.write_numbers({(slug, Metric.VISITS): b"7"})
        await shown.write_pages({(slug, "/a"): b"7"})
        await shown.reset(slug, 5)
    numbers = await shown.numbers([(slug, Metric.VISITS) for slug in SLUGS])
    pages = await shown.pages([(slug, "/a") for slug in SLUGS])
    assert numbers == ({}, dict.fromkeys(SLUGS, 5))
    assert pages == ({}, dict.fromkeys(SLUGS, 5))


async def test_a_site_keeps_so_many_pages(state: State) -> None:
    shown = ShownNumbers(state)
    await shown.write_pages({("mytho", f"/{n}"): b"1" for n in range(MAX_PAGES + 10)})
    assert await state.redis.hlen(keys.pages("mytho")) <= MAX_PAGES


async def test_what_is_kept_of_sites_can_be_erased(state: State) -> None:
    shown = ShownNumbers(state)
    await shown.write_pages({(slug, "/a"): b"7" for slug in SLUGS})
    await erased.forget(state, SLUGS)
    assert (await shown.pages([(slug, "/a") for slug in SLUGS])).bodies == {}


async def test_processes_agree_on_one_salt_a_day(state: State) -> None:
    salts = SharedSalts(state)
    async with asyncio.TaskGroup() as together:
        offers = [
            together.create_task(salts.agree(slug, 20_000, offered))
            for slug in SLUGS
            for offered in (b"one", b"two")
        ]
    agreed = [offer.result() for offer in offers]
    assert agreed[::2] == agreed[1::2]


async def test_paths_of_a_day_are_appended_and_read_on(state: State) -> None:
    paths = DailyPaths(state)
    days = {(slug, 20_000): Appended(slug.encode(), 0) for slug in SLUGS}
    assert await paths.exchange(days) == {
        day: DayTail(len(given.digests), given.digests) for day, given in days.items()
    }
    further = {day: Appended(b"", len(given.digests)) for day, given in days.items()}
    assert {tail.tail for tail in (await paths.exchange(further)).values()} == {b""}


async def test_path_histories_are_found_by_their_version(state: State) -> None:
    histories = PathHistories(state)
    published = encode(array("Q", [1, 2, 3]))
    for slug in SLUGS:
        await histories.publish(slug, published)
    assert await histories.versions([*SLUGS, "none"]) == {
        **dict.fromkeys(SLUGS, version_of(published)),
        "none": b"",
    }
    assert await histories.has(SLUGS[0], version_of(published))
    assert await histories.read(SLUGS[0]) == published


async def test_kept_folds_online_and_recent_hits_come_back(state: State) -> None:
    folds, online, hits = KeptFolds(state, "g"), OnlineCounts(state), UntrustedForwards(state)
    for number in range(8):
        await folds.keep(number, b"%d" % number)
    assert [await folds.read(number) for number in range(8)] == [b"%d" % n for n in range(8)]
    await folds.forget(0)
    assert await folds.read(0) is None
    await online.publish(dict.fromkeys(SLUGS, 3), 9)
    assert await online.read([*SLUGS, "none"]) == dict.fromkeys(SLUGS, OnlineCount(3, 9))
    await hits.add({"mytho": 2}, WINDOW_MS - 1)
    await hits.add({"mytho": 3, "other": 1}, WINDOW_MS)
    assert await hits.read(WINDOW_MS) == {"mytho": 5, "other": 1}
    assert await hits.read_site("mytho", WINDOW_MS) == 5


async def test_a_large_fold_is_kept_only_while_that_leaves_redis_half_empty(
    state: State,
) -> None:
    folds, large = KeptFolds(state, "g"), bytes(kept_folds.ALWAYS_BYTES + 1)
    assert await folds.keep(1, large)
    masters = (await servers(state.redis)).values()
    limits = [(await master.config_get("maxmemory"))["maxmemory"] for master in masters]
    try:
        for master in masters:
            await master.config_set("maxmemory", 2 * (await memory_use(master)).used)
        assert not await folds.keep(2, large)
        assert await folds.keep(2, large[1:])
    finally:
        for master, limit in zip(masters, limits, strict=True):
            await master.config_set("maxmemory", limit or "0")
    assert [await folds.read(number) for number in (1, 2)] == [large, large[1:]]
    await folds.forget(1)
    await folds.forget(2)


async def test_sessions_begin_are_listed_and_end(state: State) -> None:
    sessions = Sessions(state)
    secrets_of = [await sessions.begin(USER) for _ in range(55)]
    assert len(await sessions.of_user("lan")) == 50
    assert (await sessions.find(secrets_of[-1]) or pytest.fail("none")).user == "lan"
    await sessions.end(secrets_of[-1])
    assert await sessions.find(secrets_of[-1]) is None
    assert await sessions.end_some("lan") == 49
    assert await sessions.of_user("lan") == []


async def test_half_sign_ins_codes_tokens_and_spools_come_back(state: State) -> None:
    half, codes, used = HalfSignIns(state), UsedCodes(state), TokenTimes(state)
    secret = await half.begin(USER)
    assert (await half.find(secret) or pytest.fail("none")).user == "lan"
    await half.end(secret)
    assert await half.find(secret) is None
    assert [await codes.use("lan", step) for step in (4, 4, 5)] == [True, False, True]
    await codes.forget("lan")
    await used.write("t1", 5)
    assert await used.read() == {"t1": 5}
    await used.remove("t1")
    spooled = SpooledHits(state)
    await spooled.tell("one", Spooled(3, 10), 100)
    await spooled.tell("two", Spooled(4, 20), 100)
    assert await spooled.read(100) == Spooled(7, 20)
    assert await watched_since(state, 100) == 100
    assert await watched_since(state, 200) == 100


async def test_an_attempt_counts_for_all_subjects_or_for_none(state: State) -> None:
    attempts = SignInAttempts(state)
    name, address = AttemptLimit("name", "lan", 2, 60), AttemptLimit("address", "a", 9, 60)
    for _ in range(2):
        counted = await attempts.count([name, address])
        assert counted.seconds_to_wait == 0
    assert (await attempts.count([name, address])).seconds_to_wait > 0
    await attempts.take_back(counted.keys, 1)
    assert (await attempts.count([name, address])).seconds_to_wait == 0


async def test_tokens_to_send_never_go_back_to_an_older_version(state: State) -> None:
    tokens = SendTokens(state)
    await tokens.publish(PublishedTokens(2, {b"a": b"1"}))
    await tokens.publish(PublishedTokens(1, {b"b": b"1"}))
    assert await tokens.read() == PublishedTokens(2, {b"a": b"1"})
    await tokens.forget()
    assert await tokens.read() is None


async def test_a_lock_is_held_by_one_and_renewed(state: State) -> None:
    locks = [StateLock(state, "access:changing", seconds=60, wait_seconds=0.05) for _ in range(2)]
    assert [await lock.acquire() for lock in locks] == [True, False]
    await locks[0].renew()
    await locks[0].release()
    assert await locks[1].acquire()
    with pytest.raises(StateError):
        await locks[0].release()
    async with renewed_correction_lock(state, "mytho") as held:
        assert held is not None
        async with renewed(locks[0], 5) as other:
            assert other is None
        assert await held.holds()
    version = AccessVersion(state)
    await version.increase()
    assert await version.read() == b"1"


class Unanswered(StateLock):
    """A lock whose renewals get no answer while `silent` is above 0."""

    silent = 0
    renewals = 0

    async def renew(self) -> None:
        self.silent -= 1
        if self.silent >= 0:
            raise StateError("no answer")
        await super().renew()
        self.renewals += 1


async def test_a_renewal_that_gets_no_answer_is_not_the_last_one(state: State) -> None:
    lock = Unanswered(state, "correcting:mytho", seconds=60, wait_seconds=0.05)
    lock.silent = 2
    async with renewed(lock, 0.01) as held:
        assert held is lock
        for _ in rounds(0.01):
            if lock.renewals > 1:
                break
            await asyncio.sleep(0.01)
        assert lock.renewals > 1


async def test_a_lock_is_held_without_an_answer_until_it_expires_and_not_once_another_has_it(
    state: State,
) -> None:
    lock = Unanswered(state, "correcting:mytho", seconds=60, wait_seconds=0.05)
    assert not await lock.holds()
    assert await lock.acquire()
    lock.silent = 1
    assert await lock.holds()
    await state.redis.set("correcting:mytho", "another process")
    assert not await lock.holds()
    lock.silent = 1
    assert not await lock.holds()

    brief = Unanswered(state, "correcting:caibe", seconds=0.05, wait_seconds=0.05)
    assert await brief.acquire()
    brief.silent = 1_000_000
    for _ in rounds(0.01):
        if not await brief.holds():
            break
        await asyncio.sleep(0.01)
    assert not await brief.holds()


async def test_notices_reach_whoever_listens_on_whichever_server(state: State, url: str) -> None:
    listeners = [State.open(url) for _ in range(4)]
    heard: list[Any] = []
    ready = asyncio.Semaphore(0)

    async def listen(own: State) -> None:
        notices = Notices(own).heard()
        async for notice in notices:
            if notice is None:
                ready.release()
            else:
                heard.append(notice)
                break
        await notices.aclose()

    async with limited("hearing notices"), asyncio.TaskGroup() as together:
        for listener in listeners:
            together.create_task(listen(listener))
        for _ in listeners:
            await ready.acquire()
        await Notices(state).tell("a1", [0], ["mytho"])
    assert heard == [Notice("a1", (0,), ("mytho",))] * 4
    for listener in listeners:
        await listener.close()


async def test_what_is_refused_is_told_without_what_was_sent(state: State) -> None:
    secret = secrets.token_hex(8)
    await state.redis.set(keys.SEND_TOKENS, "")
    with pytest.raises(StateError) as refused:
        await SendTokens(state).publish(PublishedTokens(2, {secret.encode(): b"1"}))
    assert secret not in str(refused.value)
    assert "WRONGTYPE" in str(refused.value)
