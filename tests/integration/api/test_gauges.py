"""What the API tells of sites and store in its metrics, on both stores."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import msgspec
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from services.api import metrics
from services.api.app import Api
from services.api.settings import ApiSettings
from services.api.sites import store_gauges
from services.api.sites.site_gauges import SiteGauges
from services.log.redis import entry_ids
from services.state.online import OnlineCounts
from services.state.state import State
from services.store.interface import Store, StoreUnavailableError
from services.store.meta import last_done
from services.store.records import sites
from tests.integration.api import changes
from tests.integration.api.world import EITHER_STORE, HANOI, SITE, Clock, write_counter

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

TODAY = date(2024, 1, 3)
OF_SITES = (metrics.SITE_ONLINE, metrics.SITE_VIEWS, metrics.SITE_LAST_HIT)


@pytest.fixture(autouse=True)
def only_when_asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the API from measuring by itself: the gauges are those of the whole process."""

    async def not_now(*_: object) -> None:
        return

    monkeypatch.setattr(SiteGauges, "measure_forever", not_now)
    monkeypatch.setattr(store_gauges, "measure_forever", not_now)
    for gauge in OF_SITES:
        gauge.clear()
    yield
    for gauge in OF_SITES:
        gauge.clear()


def told(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"luot_{name}", labels)


def gauges_of(api: Api, clock: Clock, **settings: object) -> SiteGauges:
    running = api._running
    assert running is not None
    return SiteGauges(
        ApiSettings.read({}, **settings),
        running.registry,
        running.counters,
        running.store,
        running.state,
        running.log,
        clock,
        clock,
    )


def at(hour: int, minute: int = 0, day: date = TODAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=HANOI)


def position(moment: datetime) -> int:
    return entry_ids.encode(int(moment.timestamp() * 1000), 0)


async def view(store: Store, slug: str, moment: datetime, views: int = 5) -> None:
    """Write the rows that the aggregator writes of the last view of a day."""
    day = moment.date()
    for grain, start in (
        ("day", day),
        ("month", day.replace(day=1)),
        ("total", date(1970, 1, 1)),
    ):
        await write_counter(
            store, slug, grain, start, views, views=views, position=position(moment)
        )


async def add(api: Api, store: Store, *slugs: str) -> None:
    for number, slug in enumerate(slugs):
        await sites.save(store, msgspec.structs.replace(SITE, slug=slug, kept_as=slug), 10 + number)
    assert api._running is not None
    await api._running.registry.refresh()


async def test_a_site_is_told_with_its_views_readers_and_last_view(
    api: Api, store: Store, redis: Redis, clock: Clock
) -> None:
    await view(store, SITE.slug, at(9), 7)
    await view(store, SITE.slug, at(8, day=TODAY - timedelta(1)), 30)
    await OnlineCounts(State(redis)).publish({SITE.slug: 3}, clock.ms)
    await gauges_of(api, clock).measure()
    assert told("site_views", site=SITE.slug, period="today") == 7
    assert told("site_views", site=SITE.slug, period="yesterday") == 30
    assert told("site_online", site=SITE.slug) == 3
    last = told("site_last_hit_timestamp_seconds", site=SITE.slug)
    assert last == at(9).timestamp()


async def test_a_site_without_views_has_no_time_of_a_last_one(
    api: Api, store: Store, clock: Clock
) -> None:
    await gauges_of(api, clock).measure()
    assert told("site_last_hit_timestamp_seconds", site=SITE.slug) is None
    assert told("site_views", site=SITE.slug, period="total") == 0


async def test_only_the_sites_with_the_most_views_are_told_of_and_none_where_that_is_off(
    api: Api, store: Store, clock: Clock
) -> None:
    await add(api, store, "a", "b", "c")
    for slug, views in (("a", 2), ("b", 9), ("c", 5)):
        await view(store, slug, at(9), views)
    await gauges_of(api, clock, site_metrics=2).measure()
    assert told("site_views", site="b", period="today") == 9
    assert told("site_views", site="c", period="today") == 5
    for slug in ("a", SITE.slug):
        assert told("site_views", site=slug, period="today") is None
        assert told("site_last_hit_timestamp_seconds", site=slug) is None

    for gauge in OF_SITES:
        gauge.clear()
    await gauges_of(api, clock, site_metrics=0).measure()
    assert not [
        sample
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name.startswith("luot_site_")
    ]
    assert told("silent_sites") == 0, "those are counted all the same"


async def test_a_site_that_is_removed_is_told_of_no_more(
    api: Api, store: Store, clock: Clock
) -> None:
    await add(api, store, "a")
    gauges = gauges_of(api, clock)
    await gauges.measure()
    assert told("site_views", site="a", period="today") == 0
    await changes.remove(api, "a")
    await gauges.measure()
    assert told("site_views", site="a", period="today") is None


async def silent_at(api: Api, clock: Clock, moment: datetime, **settings: object) -> float | None:
    clock.set(moment)
    await gauges_of(api, clock, **settings).measure()
    return told("silent_sites")


async def test_a_site_that_had_views_every_day_is_silent_after_six_hours_of_daytime(
    api: Api, store: Store, clock: Clock
) -> None:
    for days in range(8):
        await view(store, SITE.slug, at(21, day=TODAY - timedelta(days)))
    tomorrow = TODAY + timedelta(1)
    # One hour of the evening, and what is missing from the morning.
    assert await silent_at(api, clock, at(23, 59)) == 0
    assert await silent_at(api, clock, at(11, 59, day=tomorrow)) == 0
    assert await silent_at(api, clock, at(12, 1, day=tomorrow)) == 1
    assert await silent_at(api, clock, at(9, 0, day=tomorrow), silent_seconds=3 * 3600) == 1
    assert await silent_at(api, clock, at(12, day=TODAY + timedelta(20))) == 1
    assert await silent_at(api, clock, at(12, day=TODAY + timedelta(40))) == 0, "forgotten"
    await view(store, SITE.slug, at(11, day=tomorrow))
    assert await silent_at(api, clock, at(12, 1, day=tomorrow)) == 0


async def test_a_site_that_had_a_day_without_views_is_not_missed(
    api: Api, store: Store, clock: Clock
) -> None:
    for days in (0, 1, 2, 4, 5, 6, 7, 8):
        await view(store, SITE.slug, at(9, day=TODAY - timedelta(days)))
    assert await silent_at(api, clock, at(21)) == 0


async def test_what_falls_silent_is_named_once_and_so_is_its_return(
    api: Api, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "services.api.sites.site_gauges")
    for days in range(8):
        await view(store, SITE.slug, at(9, day=TODAY - timedelta(days)))
    gauges = gauges_of(api, clock)
    clock.set(at(16))
    await gauges.measure()
    await gauges.measure()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert SITE.slug in caplog.text
    assert gauges.silent_since() == {SITE.kept_as: int(at(9).timestamp() * 1000)}
    await view(store, SITE.slug, at(15, 59))
    await gauges.measure()
    assert gauges.silent_since() == {}
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_the_store_tells_of_its_parts_and_of_its_disk_where_it_knows_it(
    store: Store, store_url: str
) -> None:
    for moment in range(5):
        await view(store, SITE.slug, at(9, moment))
    await store_gauges.measure(store)
    parts = told("store_parts")
    assert parts is not None
    assert 1 <= parts <= 300
    free, total = told("store_free_bytes"), told("store_disk_bytes")
    if store_url.startswith("chdb"):
        assert free is not None
        assert total is not None
        assert 0 < free <= total
    else:
        assert (free, total) == (None, None), "ClickHouse 18.16 does not tell"


async def test_backups_and_doctors_are_absent_until_there_was_one(store: Store) -> None:
    await store.execute("TRUNCATE TABLE meta")
    names = (
        "last_backup_timestamp_seconds",
        "last_backup_bytes",
        "last_backup_verified_timestamp_seconds",
        "last_doctor_timestamp_seconds",
        "doctor_failures",
    )
    await store_gauges.measure(store)
    assert [told(name) for name in names] == [None] * 5
    await last_done.note(
        store,
        {
            last_done.BACKUP_FINISHED_MS: 1_700_000_000_500,
            last_done.BACKUP_BYTES: 12_345,
            last_done.DOCTOR_FINISHED_MS: 1_700_000_100_000,
            last_done.DOCTOR_FAILURES: 0,
        },
    )
    await store_gauges.measure(store)
    assert [told(name) for name in names] == [
        1_700_000_000.5,
        12_345,
        None,
        1_700_000_100,
        0,
    ]


async def test_a_store_that_is_away_tells_nothing_that_may_have_changed(store: Store) -> None:
    class Away:
        async def servers(self) -> "list[Away]":
            return [self]

        async def execute(self, *_: object) -> list[object]:
            raise StoreUnavailableError("away")

    await last_done.note(store, {last_done.BACKUP_BYTES: 99})
    await store_gauges.measure(store)
    await store_gauges.measure(Away())  # type: ignore[arg-type]
    assert told("store_parts") is None
    assert told("store_free_bytes") is None
    assert told("last_backup_bytes") == 99, "what was is not undone"


async def test_the_numbers_of_many_sites_take_few_statements(
    api: Api, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(api, store, *(f"site-{number}" for number in range(120)))
    said: list[str] = []
    execute = type(store).execute

    async def counting(self: Store, sql: str, *given: object) -> object:
        said.append(sql)
        return await execute(self, sql, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(type(store), "execute", counting)
    await gauges_of(api, clock, site_metrics=100).measure()
    assert len(said) < 15
    shown = [
        site
        for site in api.registry.all()
        if told("site_views", site=site.slug, period="total") == 0
    ]
    assert len(shown) == 100
