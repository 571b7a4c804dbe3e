"""The statements of the aggregator and of the registry, on both stores."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import pytest

from services.aggregator.flush import Flusher
from services.log.batch import decode, encode
from services.model.calendar import to_day
from services.model.hit import Hit
from services.model.site import Metric, Site
from services.store.counts import counters, hits, peaks
from services.store.counts.counters import CounterKey, CounterRow
from services.store.interface import Store
from services.store.migrations import migrate, migrations
from services.store.records import sites
from tests.contract.conftest import clear_table, merge
from tests.kernel import FOLDS, folding

DAY = to_day(date(2026, 12, 31))
AT = 1_790_000_000_000
POSITION = AT << 20

VISITORS = """
SELECT toUInt16(day), uniqCombinedMerge(visitors) FROM daily_visitors
WHERE site = 'mytho' GROUP BY day ORDER BY day
"""


def columns(count: int, **given: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Return that many hits of one batch as columns, with plain values where none are given."""
    plain: dict[str, Sequence[Any]] = {
        "site": ["mytho"] * count,
        "path": ["/"] * count,
        "at": [1_790_000_000_000] * count,
        "day": [DAY] * count,
        "visitor": list(range(1, count + 1)),
        "visit": [0] * count,
        "bot": [0] * count,
        "host": ["mytho.example"] * count,
        "source": [""] * count,
        "device": ["desktop"] * count,
        "browser": ["Firefox"] * count,
        "os": ["Linux"] * count,
        "country": ["VN"] * count,
        "position": [POSITION] * count,
        "idx": list(range(count)),
    }
    return plain | given


async def test_a_counter_row_is_loaded_as_it_was_written(store: Store) -> None:
    rows: dict[CounterKey, CounterRow] = {
        ("mytho", "day", DAY, ""): (445, 70, POSITION),
        ("mytho", "month", DAY - 30, "/tin-tức/bài 'một'"): (1, 0, POSITION + 1),
        ("mytho", "total", 0, ""): ((1 << 64) - 1, 1 << 63, POSITION),
        ("nghean", "year", 0, "a\\b"): (0, 0, 0),
    }
    await counters.write(store, rows)
    assert await counters.load(store, rows.keys()) == rows


@pytest.mark.parametrize("fold", FOLDS)
async def test_rows_of_several_partitions_are_written_at_once(store: Store, fold: str) -> None:
    runs = []
    for partition, site in enumerate(("mytho", "nghean")):
        batch = encode([Hit(site=site, path=path, at=AT, day=DAY) for path in ("/", "/ă'")])
        runs.append(folding(fold).new(partition).fold([(POSITION, AT, decode(batch))]))
    assert await Flusher(store, 1000).flush(runs, [], []) == {"mytho", "nghean"}
    rows = {
        (site, grain, start, path): (views, 0, POSITION)
        for site in ("mytho", "nghean")
        for path, views in (("", 2), ("/", 1), ("/ă'", 1))
        for grain, start in (("day", DAY), ("month", DAY - 30), ("year", DAY - 364), ("total", 0))
    }
    assert await counters.load(store, rows.keys()) == rows


async def test_of_the_rows_of_one_key_the_newest_position_counts(store: Store) -> None:
    key = ("mytho", "day", DAY, "")
    for views, position in ((20, 2), (30, 3), (10, 1)):
        await counters.write(store, {key: (views, views // 2, position)})
    assert await counters.load(store, [key]) == {key: (30, 15, 3)}
    await merge(store, "counters")
    assert await counters.load(store, [key]) == {key: (30, 15, 3)}


async def test_only_the_rows_asked_for_are_loaded(store: Store) -> None:
    there = ("mytho", "day", DAY, "/a")
    await counters.write(
        store,
        {
            there: (1, 1, 1),
            ("mytho", "day", DAY, "/b"): (2, 2, 1),
            ("x", "day", DAY, "/a"): (3, 3, 1),
        },
    )
    missing = ("mytho", "day", DAY + 1, "/a")
    assert await counters.load(store, [there, there, missing]) == {there: (1, 1, 1)}


async def test_no_keys_and_no_rows_ask_nothing_of_the_store(store: Store) -> None:
    await counters.write(store, {})
    assert await counters.load(store, []) == {}


async def test_more_keys_than_one_query_holds_are_all_loaded(store: Store) -> None:
    rows: dict[CounterKey, CounterRow] = {
        (f"site-{number % 3}", "day", DAY, f"/tin-tức/{number}/{'x' * 200}"): (number, 1, POSITION)
        for number in range(2 * counters.KEYS_A_QUERY + 1)
    }
    await counters.write(store, rows)
    assert await counters.load(store, rows.keys()) == rows


async def test_hits_of_two_months_are_written_month_by_month(store: Store) -> None:
    days = [DAY, DAY + 1, DAY, DAY + 1]
    await hits.write(store, columns(4, day=days, path=["/a", "/b", "/c", "/d"]))
    assert await store.execute("SELECT toUInt16(day), path, idx FROM hits ORDER BY idx") == [
        (DAY, "/a", 0),
        (DAY + 1, "/b", 1),
        (DAY, "/c", 2),
        (DAY + 1, "/d", 3),
    ]
    parts = (
        f"SELECT partition FROM {store.system('parts')}"
        f" WHERE active AND table = '{store.stored('hits')}' ORDER BY partition"
    )
    assert await store.execute(parts) == [("202612",), ("202701",)]


async def test_hits_written_twice_are_hits_once(store: Store) -> None:
    batch = columns(5)
    await hits.write(store, batch)
    await hits.write(store, batch)
    assert await store.execute("SELECT count() FROM hits FINAL") == [(5,)]
    held = await hits.held(store, ["mytho"], POSITION, POSITION, (DAY, DAY))
    assert held == {("mytho", POSITION): 5}


async def test_held_tells_how_much_of_each_batch_is_there(store: Store) -> None:
    await hits.write(store, columns(3))
    await hits.write(store, columns(2, position=[POSITION + 1] * 2, site=["mytho", "danang"]))
    await hits.write(store, columns(1, position=[POSITION + 2]))
    await hits.write(store, columns(1, position=[POSITION + 1], day=[DAY - 1], idx=[9]))
    held = await hits.held(store, ["mytho", "danang"], POSITION, POSITION + 1, (DAY, DAY))
    assert held == {
        ("mytho", POSITION): 3,
        ("mytho", POSITION + 1): 1,
        ("danang", POSITION + 1): 1,
    }
    assert await hits.held(store, [], POSITION, POSITION, (DAY, DAY)) == {}
    assert await hits.held(store, ["nobody"], 0, 1 << 63, (0, DAY)) == {}


async def test_visitors_are_counted_once_a_day_however_often_hits_arrive(store: Store) -> None:
    batch = columns(6, visitor=[7, 7, 8, 9, 9, 7], day=[DAY] * 4 + [DAY + 1] * 2)
    await hits.write(store, batch)
    first = await store.execute(VISITORS)
    await hits.write(store, batch)
    await hits.write(store, columns(6, visitor=[7, 7, 8, 9, 9, 7], day=[DAY] * 4 + [DAY + 1] * 2))
    assert first == [(DAY, 3), (DAY + 1, 2)]
    assert await store.execute(VISITORS) == first
    await merge(store, "daily_visitors")
    assert await store.execute(VISITORS) == first


async def test_bots_and_hits_without_a_visitor_are_no_visitors(store: Store) -> None:
    await hits.write(store, columns(4, visitor=[0, 1, 2, (1 << 64) - 1], bot=[0, 0, 1, 0]))
    assert await store.execute(VISITORS) == [(DAY, 2)]
    assert await store.execute("SELECT count() FROM hits") == [(4,)]


async def test_twenty_thousand_visitors_are_counted_to_within_two_percent(store: Store) -> None:
    # uniqCombined is exact for few visitors and an estimate for many.
    scattered = [number * 0x9E3779B97F4A7C15 % (1 << 64) for number in range(1, 20_001)]
    await hits.write(store, columns(20_000, visitor=scattered))
    ((_, estimate),) = await store.execute(VISITORS)
    assert abs(estimate - 20_000) < 400


async def test_visitors_of_the_table_before_are_copied(store: Store) -> None:
    months = 130
    ((state,),) = await store.execute(
        "SELECT hex(CAST(uniqCombinedState(number) AS String)) FROM numbers(30)"
    )
    for month in range(months):
        of_month: dict[str, Sequence[Any]] = {
            "site": ["mytho", "danang", "hue"],
            "day": [date(2016 + month // 12, month % 12 + 1, 15)] * 3,
            "visitors": [bytes.fromhex(state)] * 3,
        }
        # What is copied twice counts once.
        await store.insert("visitors", of_month)
        if not month:
            await store.insert("daily_visitors", of_month)
    before = migrations()[:20]
    await clear_table(store, "migrations")
    await store.insert(
        "migrations",
        {"number": [one.number for one in before], "name": [one.name for one in before]},
    )
    assert "021_daily_visitors.sql" in await migrate(store)
    found = "SELECT site, count(), sum(n) FROM (SELECT site, day, uniqCombinedMerge(visitors) AS n"
    found += " FROM daily_visitors GROUP BY site, day) GROUP BY site ORDER BY site"
    assert await store.execute(found) == [
        (site, months, 30 * months) for site in ("danang", "hue", "mytho")
    ]


async def test_the_highest_peak_of_a_day_stays(store: Store) -> None:
    await peaks.write(store, [("mytho", DAY, 5, 100), ("danang", DAY, 1, 1)])
    await peaks.write(store, [("mytho", DAY, 9, 200)])
    await peaks.write(store, [("mytho", DAY, 7, 300), ("mytho", DAY + 1, 3, 400)])
    await peaks.write(store, [])
    expected = [("danang", DAY, 1, 1), ("mytho", DAY, 9, 200)]
    assert await peaks.load(store, ["mytho", "danang", "nobody"], DAY) == expected
    await merge(store, "peaks")
    assert await peaks.load(store, ["mytho", "danang"], DAY) == expected
    assert await peaks.load(store, [], DAY) == []


async def test_the_newest_version_of_a_site_is_loaded(store: Store) -> None:
    mytho = Site(
        slug="mytho",
        name='Thành phố "Mỹ Tho" \\ Tiền Giang',
        hosts=("mytho.example", "*.mytho.example"),
        metric=Metric.VIEWS,
        significant=("tabid",),
        created_at=1_790_000_000_000,
    )
    newer = msgspec.structs.replace(mytho, name="Mỹ Tho", public_top=True)
    await sites.save(store, newer, 3)
    await sites.save(store, mytho, 2)
    await sites.save(store, Site(slug="danang"), 1)
    assert await sites.load(store) == [Site(slug="danang"), newer]


async def test_a_removed_site_is_gone_until_it_is_saved_again(store: Store) -> None:
    site = Site(slug="mytho")
    await sites.save(store, site, 1)
    await sites.remove(store, "mytho", 2)
    assert await sites.load(store) == []
    await merge(store, "sites")
    assert await sites.load(store) == []
    await sites.save(store, site, 3)
    assert await sites.load(store) == [site]


async def test_a_site_that_cannot_be_read_is_named_and_hides_no_other(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await sites.save(store, Site(slug="danang"), 1)
    bodies = ['{"slug": "mytho", "hosts": 7}', '{"slug": "hue", "of_a_newer_version": 1}']
    slugs = ["mytho", "hue"]
    await store.insert(
        "sites", {"slug": slugs, "version": [1, 1], "deleted": [0, 0], "body": bodies}
    )
    assert [site.slug for site in await sites.load(store)] == ["danang", "hue"]
    assert "site 'mytho' cannot be read" in caplog.text
