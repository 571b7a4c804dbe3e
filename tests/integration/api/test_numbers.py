"""The numbers that people get, from both kinds of store."""

from datetime import date, datetime
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.model.calendar import EPOCH
from services.model.lines import PERIODS
from services.state import keys
from services.store.interface import Store
from tests.integration.api.world import (
    EITHER_STORE,
    HANOI,
    Clock,
    write_balance,
    write_counter,
    write_views,
)

TODAY = date(2024, 1, 3)  # a Wednesday; the week began on New Year's Day
COUNTER = "/api/counter/mytho"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]


async def numbers(
    client: httpx.AsyncClient, clock: Clock | None = None, **parameters: Any
) -> dict[str, Any]:
    """Return the answer; with a clock, when what is remembered is no longer fresh."""
    if clock is not None:
        clock.now += 2  # past the grace of a refresh that is under way
    answer = await client.get(COUNTER, params=parameters)
    assert answer.status_code == 200, answer.text
    held: dict[str, Any] = answer.json()
    return held


async def test_every_period_is_counted_in_the_sites_own_calendar(
    client: httpx.AsyncClient, store: Store
) -> None:
    for day, visits in (
        (date(2023, 12, 24), 1000),  # the Sunday before last week
        (date(2023, 12, 25), 100),  # Monday of last week
        (date(2023, 12, 31), 50),  # Sunday of last week, and another year
        (date(2024, 1, 1), 20),
        (date(2024, 1, 2), 7),
        (TODAY, 3),
    ):
        await write_counter(store, "mytho", "day", day, visits)
    await write_counter(store, "mytho", "month", date(2024, 1, 1), 30)
    await write_counter(store, "mytho", "month", date(2023, 12, 1), 1150)
    await write_counter(store, "mytho", "year", date(2024, 1, 1), 30)
    await write_counter(store, "mytho", "year", date(2023, 1, 1), 5000)
    await write_counter(store, "mytho", "total", EPOCH, 5030)

    expected = {
        "site": "mytho",
        "as_of": "2024-01-03T12:00:00+07:00",
        "timezone": "Asia/Ho_Chi_Minh",
        "metric": "visits",
        "stale": False,
        "since": "2023-12-24",
        "online": 0,
        "bots": 0,
        "guests": 0,
        "today": 3,
        "yesterday": 7,
        "this_week": 30,
        "last_week": 150,
        "this_month": 30,
        "last_month": 1150,
        "this_year": 30,
        "last_year": 5000,
        "total": 5030,
        "peak": {"online": 0, "at": None},
    }
    shown = await numbers(client)
    assert {name: shown[name] for name in expected} == expected
    assert shown.keys() == {*expected, *PERIODS}
    assert (await numbers(client, metric="views"))["today"] == 6


async def test_a_site_without_a_visit_shows_zeros_since_it_was_created(
    client: httpx.AsyncClient,
) -> None:
    answer = await numbers(client)

    assert (answer["total"], answer["today"], answer["since"]) == (0, 0, "2017-07-14")


async def test_the_row_with_the_newest_position_counts(
    client: httpx.AsyncClient, store: Store
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 9, position=20)
    await write_counter(store, "mytho", "total", EPOCH, 5, position=10)

    assert (await numbers(client))["total"] == 9


async def test_midnight_turns_today_into_yesterday_where_the_site_is(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_counter(store, "mytho", "day", date(2023, 12, 31), 8)

    clock.set(datetime(2023, 12, 31, 23, 59, 59, tzinfo=HANOI))
    before = await numbers(client, metric="visits")
    clock.set(datetime(2024, 1, 1, 0, 0, 1, tzinfo=HANOI))
    after = await numbers(client)

    assert (before["today"], before["yesterday"]) == (8, 0)
    assert (after["today"], after["last_week"], after["this_week"]) == (0, 8, 0)


async def test_an_opening_balance_is_in_its_own_period_and_in_no_other(
    client: httpx.AsyncClient, store: Store
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 1)
    await write_balance(store, "mytho", "t", "total", EPOCH, 1_000_000)
    await write_balance(store, "mytho", "y", "year", date(2023, 1, 1), 100_000)
    await write_balance(store, "mytho", "m", "month", date(2024, 1, 1), 10_000)
    await write_balance(store, "mytho", "d", "day", date(2024, 1, 2), 1_000)
    await write_balance(store, "mytho", "page", "total", EPOCH, 7, path="/only-this")

    answer = await numbers(client)

    assert answer["total"] == 1_000_001
    assert answer["last_year"] == 100_000
    assert answer["this_month"] == 10_000
    assert answer["yesterday"] == answer["this_week"] == 1_000  # a week is its days
    assert answer["today"] == answer["last_month"] == answer["this_year"] == 0


async def test_an_opening_balance_entered_twice_counts_once_and_a_reversal_counts(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_balance(store, "mytho", "once", "total", EPOCH, 500, at=1)
    await write_balance(store, "mytho", "once", "total", EPOCH, 900, at=2)
    assert (await numbers(client))["total"] == 500

    await write_balance(store, "mytho", "reversal", "total", EPOCH, -500, at=3)
    assert (await numbers(client, clock))["total"] == 0


async def test_visitors_are_counted_once_a_day_and_summed_over_days(
    client: httpx.AsyncClient, store: Store
) -> None:
    await write_views(store, "mytho", date(2022, 5, 1), [1, 2, 3])
    await write_views(store, "mytho", date(2024, 1, 2), [4, 5])
    await write_views(store, "mytho", TODAY, [4, 4, 6])
    await write_views(store, "mytho", TODAY, [6, 4])

    answer = await numbers(client, metric="visitors")

    assert (answer["today"], answer["yesterday"], answer["this_month"]) == (2, 2, 4)
    assert (answer["this_year"], answer["last_year"], answer["total"]) == (4, 0, 7)


async def test_views_of_up_to_100_pages_come_with_the_numbers(
    client: httpx.AsyncClient, store: Store
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 0, views=445, path="/tin-tức/1")
    await write_counter(store, "mytho", "day", TODAY, 0, views=3, path="/tin-tức/1")
    await write_counter(store, "mytho", "day", date(2024, 1, 2), 0, views=9, path="/tin-tức/1")
    await write_balance(store, "mytho", "old", "total", EPOCH, 10, path="/b")
    many = [f"/p{number}" for number in range(97)]
    encoded = "/tin-t%E1%BB%A9c/1/index.html?utm_source=x"

    answer = await numbers(client, path=["/tin-tức/1", encoded, "/b", *many])

    assert len(answer["paths"]) == 100
    assert answer["paths"]["/tin-tức/1"] == {"views": 445, "today": 3}
    assert answer["paths"][encoded] == {"views": 445, "today": 3}
    assert answer["paths"]["/b"] == {"views": 100, "today": 0}
    assert answer["paths"]["/p0"] == {"views": 0, "today": 0}


async def test_online_is_what_the_aggregator_said_within_15_seconds(
    client: httpx.AsyncClient, store: Store, redis: Redis, clock: Clock
) -> None:
    await redis.hset(keys.ONLINE, "mytho", f"12:{clock.ms - 14_000}")
    await store.insert(
        "peaks",
        {
            "site": ["mytho"] * 2,
            "day": [TODAY, TODAY],
            "online": [30, 40],
            "at": [clock.ms - 9000, clock.ms - 3_600_000],
        },
    )
    await redis.hset(keys.ONLINE, "mytho#bots", f"4:{clock.ms - 14_000}")
    answer = await numbers(client)
    assert (answer["online"], answer["guests"], answer["bots"]) == (12, 12, 4)
    assert answer["peak"] == {"online": 40, "at": "2024-01-03T11:00:00+07:00"}

    await redis.hset(keys.ONLINE, "mytho", f"12:{clock.ms - 16_000}")
    answer = await numbers(client, clock)
    assert (answer["online"], answer["guests"], answer["bots"]) == (0, 0, 0)


async def test_a_total_that_the_store_has_lost_does_not_go_down(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 100)
    await write_counter(store, "mytho", "day", TODAY, 5)
    assert (await numbers(client))["total"] == 100

    await store.execute("TRUNCATE TABLE counters")
    await write_counter(store, "mytho", "total", EPOCH, 60)
    await write_counter(store, "mytho", "month", date(2024, 1, 1), 1)  # shows that it was read

    answer = await numbers(client, clock)
    assert (answer["total"], answer["today"], answer["this_month"]) == (100, 5, 1)


async def test_an_unchanged_answer_is_304_for_who_holds_it(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    first = await client.get(COUNTER, params={"path": "/a"})
    assert first.headers["cache-control"] == "public, max-age=1, stale-while-revalidate=30"
    assert first.headers["access-control-allow-origin"] == "*"

    clock.now += 5
    held = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    again = await client.get(COUNTER, params={"path": "/a"}, headers=held)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]

    await write_counter(store, "mytho", "total", EPOCH, 0, views=1, path="/a")
    clock.now += 2
    again = await client.get(COUNTER, params={"path": "/a"}, headers=held)
    assert again.json()["paths"] == {"/a": {"views": 1, "today": 0}}
