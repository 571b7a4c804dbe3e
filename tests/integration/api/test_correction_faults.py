"""Corrections under retries, late hits, several processes, lost rows and raw hits that are gone."""

import asyncio
from datetime import date, datetime
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.model.calendar import to_day
from services.state import keys
from services.state.state import State
from services.store.counts import corrections as ledger
from services.store.counts import hits as raw_hits
from services.store.interface import Store, StoreUnavailableError
from tests.integration.api.people import ADMIN, audit
from tests.integration.api.taken_back import (
    CORRECTIONS,
    TODAY,
    at,
    count,
    give_back,
    preview,
    public,
    take_back,
    view,
)
from tests.integration.api.world import (
    EITHER_STORE,
    HANOI,
    TOKEN,
    Clock,
    serving,
    write_balance,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

SPAM = "event:page==/spam"
REASON = "lượt giả"


def order(found: Any, **other: Any) -> dict[str, Any]:
    """Return the body that makes a correction as it was shown."""
    return {
        **{name: found[name] for name in ("id", "query", "up_to", "views")},
        "reason": REASON,
        **other,
    }


async def make(client: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await client.post(CORRECTIONS, json=body, headers=ADMIN)


async def today(client: httpx.AsyncClient) -> tuple[int, int, int]:
    shown = await public(client)
    return shown["views"]["today"], shown["visits"]["today"], shown["visitors"]["today"]


async def test_a_visit_whose_first_view_is_taken_back_begins_with_the_next_one(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(
        store,
        [
            view("/spam", at("08:00"), 1, country="RU"),
            view("/a", at("08:20"), 1),
            view("/b", at("08:40"), 1),
            view("/spam", at("09:00"), 2),
        ],
    )
    found = await preview(client, filters=SPAM)
    assert (found["views"], found["visits"], found["visitors"]) == (2, 1, 1)
    assert {page["path"]: page["visits"] for page in found["pages"]} == {"/spam": 2, "/a": -1}

    first = await take_back(client, filters=SPAM)
    second = await take_back(client, filters="event:page==/a")
    clock.now += 2
    assert await today(client) == (1, 1, 1)
    await give_back(client, first["id"])
    clock.now += 2
    # At 08:00, 08:40 and 09:00: without the view between them, the first two are two visits.
    assert await today(client) == (3, 3, 2)
    await give_back(client, second["id"])
    clock.now += 2
    assert await today(client) == (4, 2, 2)


async def test_what_is_counted_after_the_look_stays(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(5)])
    found = await preview(client, filters=SPAM)
    await count(store, [view("/spam", at("08:30") + n, 90 + n) for n in range(3)])

    assert (await make(client, order(found))).status_code == 201
    clock.now += 2
    assert await today(client) == (3, 3, 3)
    rest = await preview(client, filters=SPAM)
    assert rest["views"] == 3, "and can be taken back, too"


async def test_a_visitor_taken_back_who_comes_again_is_counted_with_the_rest(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(store, [view("/spam", at("08:00"), 1)])
    first = await take_back(client, filters=SPAM)
    await count(store, [view("/a", at("08:50"), 1), view("/a", at("08:55"), 2)])
    clock.now += 2
    views, visits, visitors = await today(client)
    assert (views, visits) == (2, 2)
    assert visitors <= visits
    second = await take_back(client, filters="event:page==/a")
    clock.now += 2
    assert await today(client) == (0, 0, 0)
    for made in (first, second):
        await give_back(client, made["id"])
    clock.now += 2
    assert await today(client) == (3, 3, 2)


async def test_the_same_correction_made_twice_counts_once_and_another_is_refused(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(5)])
    await count(store, [view("/a", at("08:10") + n, 1 + n) for n in range(2)])
    found = await preview(client, filters=SPAM)
    assert (await preview(client, filters=SPAM))["id"] == found["id"]

    made = await make(client, order(found))
    again = await make(client, order(found))
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json() == made.json()
    other = await preview(client, filters="event:page==/a")
    refused = await make(client, order(other, id=found["id"]))
    assert (refused.status_code, list(refused.json()["errors"])) == (409, ["id"])
    clock.now += 2
    assert (await today(client))[0] == 2

    back = await client.post(
        f"{CORRECTIONS}/{found['id']}/reverse", json={"reason": "nhầm"}, headers=ADMIN
    )
    twice = await client.post(
        f"{CORRECTIONS}/{found['id']}/reverse", json={"reason": "nhầm"}, headers=ADMIN
    )
    assert (back.status_code, twice.status_code) == (201, 200)
    clock.now += 2
    assert (await today(client))[0] == 7
    listed = (await client.get(CORRECTIONS, headers=ADMIN)).json()
    assert [(row["id"], row["views"], row["reversed_by"]) for row in listed["corrections"]] == [
        (f"reversal:{found['id']}", -5, None),
        (found["id"], 5, f"reversal:{found['id']}"),
    ]
    of_a_reversal = await client.post(
        f"{CORRECTIONS}/reversal:{found['id']}/reverse", json={"reason": "x"}, headers=ADMIN
    )
    assert of_a_reversal.status_code == 404
    assert len(await audit(client, site="mytho")) == 2


async def test_another_number_than_was_looked_at_is_refused(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store, [view("/spam", at("08:00") + n, 1 + n, country="RU") for n in range(5)])
    found = await preview(client, filters=SPAM)
    first, *_ = [await take_back(client, to="2024-01-03T08:00:00.002", filters=SPAM)]
    assert first["views"] == 2

    refused = await make(client, order(found))
    assert (refused.status_code, list(refused.json()["errors"])) == (409, ["views"])
    nothing = await make(
        client, order(found, id="x", query={"from": "2024-01-02", "to": "2024-01-03"})
    )
    assert (nothing.status_code, list(nothing.json()["errors"])) == (400, ["query"])


async def test_every_api_process_shows_it_and_a_restart_does_not_bring_the_old_number_back(
    client: httpx.AsyncClient, store: Store, redis: Redis, redis_server: Any, clock: Clock
) -> None:
    await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(50)])
    await count(store, [view("/a", at("09:00") + n, 90 + n) for n in range(3)])
    settings = ApiSettings.read({}, admin_token=TOKEN, redis_url=redis_server.url)
    other = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await other.start()
    async with serving(other.asgi) as second:
        assert (await today(client)) == (await today(second)) == (53, 53, 53)
        await take_back(client, filters=SPAM)
        clock.now += 2
        assert (await today(client)) == (await today(second)) == (3, 3, 3)
        # The store loses the newest rows, as in a power cut: the floor holds what was counted.
        await store.execute("TRUNCATE TABLE counters")
        await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(50)])
        clock.now += 2
        assert (await today(client)) == (await today(second)) == (3, 3, 3)
    await other.stop()
    third = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await third.start()
    async with serving(third.asgi) as again:
        assert (await today(again))[0] == 3
    await third.stop()


async def test_what_was_shown_last_is_corrected_although_nobody_asked(
    api: Api, client: httpx.AsyncClient, store: Store, redis: Redis, redis_server: Any, clock: Clock
) -> None:
    await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(5)])
    assert (await today(client))[0] == 5
    page = await client.get("/api/counter/mytho", params={"path": "/spam"})
    assert page.json()["paths"]["/spam"]["views"] == 5
    await take_back(client, filters=SPAM)
    await store.execute("RENAME TABLE counters TO counters_away")
    try:
        settings = ApiSettings.read({}, admin_token=TOKEN, redis_url=redis_server.url)
        fresh = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
        await fresh.start()
        async with serving(fresh.asgi) as later:
            answer = await later.get(
                "/api/counter/mytho", params={"metric": "views", "path": "/spam"}
            )
        await fresh.stop()
    finally:
        await store.execute("RENAME TABLE counters_away TO counters")
    body = answer.json()
    assert (body["stale"], body["today"], body["paths"]["/spam"]["views"]) == (True, 0, 0)


async def test_opening_balances_stay_as_they_were_entered(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_balance(store, "mytho", "total", "total", date(1970, 1, 1), 1000)
    await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(5)])
    await take_back(client, filters=SPAM)
    shown = await public(client)
    assert (shown["views"]["total"], shown["visits"]["total"]) == (10_000, 1_000)


async def test_days_whose_raw_hits_are_gone_are_not_corrected_but_can_be_given_back(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    old = date(2023, 11, 20)
    fakes = [view("/spam", at("08:00", old) + n, 1 + n) for n in range(5)]
    more = [view("/spam", at("09:00", old) + n, 50 + n, country="RU") for n in range(2)]
    await count(store, [*fakes, *more, view("/a", at("08:10"), 1)])
    since = {"from": "2023-11-01"}
    first = await take_back(client, filters="visit:country!=RU;event:page==/spam", **since)
    second = await take_back(client, filters="visit:country==RU", **since)
    clock.now += 2
    assert (await public(client))["views"]["total"] == 1

    assert await raw_hits.drop_months_before(store, to_day(date(2023, 12, 1))) == [202311]
    clock.now += 2
    assert (await public(client))["views"]["total"] == 1
    refused = await client.post(
        f"{CORRECTIONS}/preview", json={**since, "filters": ""}, headers=ADMIN
    )
    assert refused.status_code == 200, "there is nothing of that day to be found"
    assert refused.json()["days"] == [{"day": "2024-01-03", "views": 1, "visits": 1, "visitors": 1}]
    late = await client.post(
        f"{CORRECTIONS}/{first['id']}/reverse", json={"reason": "nhầm"}, headers=ADMIN
    )
    assert (late.status_code, list(late.json()["errors"])) == (422, ["query"])
    assert second["id"] in late.text, "it names what has to be reversed first"
    await give_back(client, second["id"])
    await give_back(client, first["id"])
    clock.now += 2
    shown = await public(client)
    assert (shown["views"]["total"], shown["visits"]["total"]) == (8, 8)


async def test_a_day_with_a_part_of_its_raw_hits_is_refused(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(5)])
    await store.execute(
        "INSERT INTO counters SELECT site, grain, start, path, views + 1, visits, position + 1"
        " FROM counters WHERE site = 'mytho'"
    )
    refused = await client.post(
        f"{CORRECTIONS}/preview", json={"from": "2024-01-01", "filters": SPAM}, headers=ADMIN
    )
    assert refused.status_code == 422
    assert "2024-01-03" in refused.json()["errors"]["query"][0]


async def test_raw_hits_that_stand_there_twice_are_taken_back_once(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    hits = [view("/spam", at("08:00") + n, 1 + n % 3) for n in range(6)]
    await count(store, [*hits, view("/a", at("08:00:30"), 1)])
    await store.execute("SYSTEM STOP MERGES hits")
    try:
        await store.execute("INSERT INTO hits SELECT * FROM hits WHERE site = 'mytho'")
        made = await take_back(client, filters=SPAM)
    finally:
        await store.execute("SYSTEM START MERGES hits")
    assert (made["views"], made["visits"], made["visitors"]) == (6, 2, 2)
    clock.now += 2
    assert await today(client) == (1, 1, 1)


async def test_readers_without_a_hash_are_told_by_the_view_that_began_their_visit(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(
        store,
        [
            view("/spam", at("08:00"), 0, visit=1),
            view("/spam", at("08:01"), 0, visit=2),
            view("/a", at("08:02"), 0, visit=2),
        ],
    )
    found = await preview(client, filters=SPAM)
    assert (found["views"], found["visits"], found["unknown"]) == (2, 1, 2)
    await take_back(client, filters=SPAM)
    clock.now += 2
    assert await today(client) == (1, 0, 0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2024-01-04"}, "from"),
        ({"from": "2024-01-03T09:00", "to": "2024-01-03T08:00"}, "from"),
        ({"from": "2022-01-01"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"from": "9999-12-31T23:59:59-23:59"}, "from"),
        ({"from": "gestern"}, "from"),
        ({}, "from"),
        ({"from": "2024-01-01", "filters": "event:page=/a"}, "filters"),
        ({"from": "2024-01-01", "filters": "event:page==*a*b*c*d*e*f"}, "filters"),
        ({"from": "2024-01-01", "filters": "event:page==" + "a" * 4000}, "filters"),
        ({"from": "2024-01-01", "more_than": -1}, "more_than"),
        ({"from": "2024-01-01", "pages": "/a"}, "pages"),
    ],
)
async def test_a_query_that_cannot_be_is_refused_by_its_field(
    client: httpx.AsyncClient, query: dict[str, Any], field: str
) -> None:
    refused = await client.post(f"{CORRECTIONS}/preview", json=query, headers=ADMIN)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, [field]), refused.text


async def test_a_position_that_is_not_counted_yet_is_refused(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store, [view("/spam", at("08:00"), 1)])
    found = await preview(client, filters=SPAM)
    refused = await make(client, order(found, up_to=str(int(found["up_to"]) + 1)))
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["up_to"])


async def test_times_without_an_offset_are_the_sites_own(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store, [view("/spam", at("08:00") + n * 1000, 1 + n) for n in range(10)])
    found = await preview(client, **{"from": "2024-01-03T08:00:03", "to": "2024-01-03T01:00:06Z"})
    assert found["views"] == 3
    assert found["query"]["from"] == "2024-01-03T08:00:03+07:00"
    assert datetime.fromisoformat(found["query"]["to"]) == datetime(
        2024, 1, 3, 8, 0, 6, tzinfo=HANOI
    )
    assert TODAY.isoformat() == found["days"][0]["day"]


async def test_a_correction_that_died_half_way_counts_for_nothing_and_can_be_made_again(
    client: httpx.AsyncClient, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = [view("/spam", at("08:00") + n, 1 + n) for n in range(5)]
    await count(store, [*fakes, view("/spam", at("08:10"), 1), view("/a", at("08:20"), 1)])
    found = await preview(client, filters=SPAM)

    async def fails(*_: object) -> None:
        raise StoreUnavailableError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "add", fails)
        assert (await make(client, order(found))).status_code == 503
    clock.now += 2
    assert await today(client) == (7, 5, 5)
    assert (await client.get(CORRECTIONS, headers=ADMIN)).json()["total"] == 0
    assert [entry["failed"] for entry in await audit(client, site="mytho")] == [True]

    assert (await make(client, order(found))).status_code == 201
    clock.now += 2
    assert await today(client) == (1, 1, 1)


async def test_a_correction_that_has_lost_its_lock_counts_for_nothing(
    client: httpx.AsyncClient, store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(5)])
    found = await preview(client, filters=SPAM)
    write_entries = ledger.write_entries

    async def meanwhile(*given: Any) -> None:
        await redis.set(keys.correcting("mytho"), "another process, after this one took too long")
        await write_entries(*given)

    with monkeypatch.context() as slow:
        slow.setattr(ledger, "write_entries", meanwhile)
        assert (await make(client, order(found))).status_code == 503
    assert (await client.get(CORRECTIONS, headers=ADMIN)).json()["total"] == 0
    await redis.delete(keys.correcting("mytho"))
    assert (await make(client, order(found))).status_code == 201


async def test_two_processes_at_once_take_no_view_twice(
    client: httpx.AsyncClient, store: Store, redis: Redis, redis_server: Any, clock: Clock
) -> None:
    await count(store, [view("/spam", at("08:00") + n, 1 + n, country="RU") for n in range(9)])
    await count(store, [view("/a", at("09:00") + n, 100 + n, country="RU") for n in range(4)])
    settings = ApiSettings.read({}, admin_token=TOKEN, redis_url=redis_server.url)
    other = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await other.start()
    async with serving(other.asgi) as second:
        by_page = await preview(client, filters=SPAM)
        by_country = await preview(second, filters="visit:country==RU")
        assert (by_page["views"], by_country["views"]) == (9, 13)
        answers = await asyncio.gather(
            make(client, order(by_page)), make(second, order(by_country))
        )
        clock.now += 2
        shown = await today(client)
    await other.stop()
    # The second finds fewer than it looked at, or none at all.
    assert sorted(answer.status_code for answer in answers) in ([201, 400], [201, 409])
    taken = next(answer.json()["views"] for answer in answers if answer.status_code == 201)
    assert shown == (13 - taken,) * 3
