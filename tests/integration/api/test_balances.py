"""Opening balances: entered by an admin, in the public numbers at once, and never twice."""

import asyncio
from datetime import date
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.model.calendar import EPOCH
from services.state.state import State
from services.store.interface import Store
from tests.integration.api.world import TOKEN, Clock, serving, write_counter

BALANCES = "/api/admin/sites/mytho/balances"
COUNTER = "/api/counter/mytho"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


def entry(name: str = "total", grain: str = "total", **given: Any) -> dict[str, Any]:
    return {"id": name, "grain": grain, "visits": 100, "reason": "the old counter", **given}


async def enter(client: httpx.AsyncClient, *entries: dict[str, Any]) -> httpx.Response:
    return await client.post(BALANCES, json={"entries": entries}, headers=ADMIN)


async def numbers(client: httpx.AsyncClient, clock: Clock, **query: Any) -> dict[str, Any]:
    clock.now += 2
    answer: dict[str, Any] = (await client.get(COUNTER, params=query)).json()
    return answer


async def test_the_block_of_an_old_counter_goes_on_from_what_it_showed(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    answer = await enter(
        client,
        entry("total", visits=8307145),
        entry("year", "year", start="2024-01-01", visits=119944),
        entry("last-year", "year", start="2023-01-01", visits=1845672),
        entry("month", "month", start="2024-01-01", visits=119944),
        entry("last-month", "month", start="2023-12-01", visits=108517),
        entry("yesterday", "day", start="2024-01-02", visits=7097),
        entry("today", "day", start="2024-01-03", visits=6325),
    )
    assert (answer.status_code, answer.json()["added"]) == (201, 7)
    shown = await numbers(client, clock)
    expected = {
        "today": 6325,
        "yesterday": 7097,
        "this_month": 119944,
        "last_month": 108517,
        "this_year": 119944,
        "last_year": 1845672,
        "total": 8307145,
    }
    assert {name: shown[name] for name in expected} == expected

    for grain, start in (("day", date(2024, 1, 3)), ("month", date(2024, 1, 1)), ("total", EPOCH)):
        await write_counter(store, "mytho", grain, start, 1)
    shown = await numbers(client, clock)
    assert (shown["today"], shown["this_month"], shown["total"]) == (6326, 119945, 8307146)


async def test_entered_twice_it_counts_once_and_never_as_something_else(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    first = await enter(client, entry())
    clock.now += 60
    again = await enter(client, entry(), entry())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "added": 0}

    for change in ({"visits": 101}, {"views": 1}, {"path": "/a"}, {"reason": "another"}):
        other = await enter(client, entry("new"), entry(**change))
        assert (other.status_code, list(other.json()["errors"])) == (409, ["entries.1.id"])
        assert next(iter(change)) in str(other.json())
    twice = await enter(client, entry("both"), entry("both", visits=3))
    assert twice.status_code == 409

    listed = (await client.get(BALANCES, headers=ADMIN)).json()
    assert listed == {"entries": first.json()["entries"], "total": 1}
    assert (await numbers(client, clock))["total"] == 100


async def test_the_same_entry_sent_ten_times_at_once_is_one(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    answers = await asyncio.gather(*(enter(client, entry()) for _ in range(10)))

    assert sorted(answer.json()["added"] for answer in answers) == [0] * 9 + [1]
    assert (await numbers(client, clock))["total"] == 100


async def test_a_reversal_lowers_the_public_number_and_stays_in_the_ledger(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 7)
    await enter(client, entry("wrong", visits=900))
    assert (await numbers(client, clock))["total"] == 907
    await enter(client, entry("page", path="/a", views=50, visits=0))
    assert (await numbers(client, clock, path="/a"))["paths"]["/a"]["views"] == 50

    back = await enter(client, entry("back", visits=-900), entry("right", visits=90))
    await enter(client, entry("page-back", path="/a", views=-50, visits=0))

    assert back.status_code == 201
    assert (await numbers(client, clock))["total"] == 97
    assert (await numbers(client, clock, path="/a"))["paths"]["/a"]["views"] == 0
    ledger = (await client.get(BALANCES, headers=ADMIN)).json()["entries"]
    assert [held["id"] for held in ledger[:1]] == ["wrong"]
    assert len(ledger) == 5


async def test_a_reversal_is_seen_by_an_api_that_starts_afterwards_too(
    client: httpx.AsyncClient, store: Store, redis: Redis, clock: Clock
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 7)
    await enter(client, entry("wrong", visits=900))
    await numbers(client, clock)
    await enter(client, entry("back", visits=-900))

    settings = ApiSettings.read({}, admin_token=TOKEN)
    other = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await other.start()
    async with serving(other.asgi) as second:
        assert (await numbers(second, clock))["total"] == 7
        # The guard still holds for what was counted.
        await store.execute("TRUNCATE TABLE counters")
        assert (await numbers(second, clock))["total"] == 7
    await other.stop()


async def test_more_than_was_entered_cannot_be_taken_back(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await enter(client, entry("a", visits=60), entry("b", views=5))
    for change in (entry("d", visits=-162), entry("d", visits=0, views=-6)):
        refused = await enter(client, entry("c", visits=1), change)
        assert refused.status_code == 400
        assert "the ledger holds" in str(refused.json()["errors"]["entries"])
    await enter(client, entry("elsewhere", "year", start="2023-01-01", visits=500))
    assert (await enter(client, entry("d", visits=-161))).status_code == 400
    assert (await enter(client, entry("d", visits=-160))).status_code == 201
    assert (await numbers(client, clock))["total"] == 0


async def test_views_of_a_page_are_entered_under_any_of_its_addresses(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    old = entry("article", path="/tin-t%E1%BB%A9c/index.html?utm_source=x", views=445, visits=0)
    assert (await enter(client, old)).json()["entries"][0]["path"] == "/tin-tức"
    await enter(client, entry("day", "day", start="2024-01-03", path="/tin-tức", views=3))

    shown = await numbers(client, clock, path="/tin-tức/")
    assert shown["paths"] == {"/tin-tức/": {"views": 445, "today": 3}}
    assert shown["total"] == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "entries.0.id"),
        ({"id": "a b"}, "entries.0.id"),
        ({"id": "x" * 101}, "entries.0.id"),
        ({"grain": "week"}, "entries.0.grain"),
        ({"start": "2024-01-01"}, "entries.0.start"),
        ({"grain": "year"}, "entries.0.start"),
        ({"grain": "year", "start": "2024-02-01"}, "entries.0.start"),
        ({"grain": "month", "start": "2024-01-02"}, "entries.0.start"),
        ({"grain": "day", "start": "2024-01-04"}, "entries.0.start"),
        ({"grain": "day", "start": "1969-12-31"}, "entries.0.start"),
        ({"grain": "day", "start": "tomorrow"}, "entries.0.start"),
        ({"visits": 0}, "entries.0.visits"),
        ({"visits": "7"}, "entries.0.visits"),
        ({"visits": 1.5}, "entries.0.visits"),
        ({"visits": 10**15 + 1}, "entries.0.visits"),
        ({"visits": -1, "views": 1}, "entries.0.visits"),
        ({"visits": -1}, "entries"),
        ({"path": "a"}, "entries.0.path"),
        ({"path": "/a\0"}, "entries.0.path"),
        ({"reason": ""}, "entries.0.reason"),
        ({"reason": "a\nb"}, "entries.0.reason"),
        ({"author": "me"}, "entries.0.author"),
    ],
)
async def test_an_entry_that_cannot_be_is_refused_by_its_field(
    client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    refused = await enter(client, entry(**change))

    assert (refused.status_code, list(refused.json()["errors"])) == (400, [field])
    assert (await client.get(BALANCES, headers=ADMIN)).json()["total"] == 0


async def test_the_ledger_is_listed_in_parts_and_entry_by_entry(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    for number in range(5):
        clock.now += 1
        await enter(client, entry(f"e{number}"))

    part = (await client.get(f"{BALANCES}?offset=3&limit=5", headers=ADMIN)).json()
    assert [held["id"] for held in part["entries"]] == ["e3", "e4"]
    assert part["total"] == 5
    one = (await client.get(f"{BALANCES}/e3", headers=ADMIN)).json()
    assert one == part["entries"][0]
    assert (one["author"], one["start"], one["reason"]) == (
        "admin token",
        None,
        "the old counter",
    )
    for address in (f"{BALANCES}/nothing", "/api/admin/sites/nobody/balances"):
        assert (await client.get(address, headers=ADMIN)).status_code == 404
    assert (await client.get(BALANCES)).status_code == 401
    assert (await client.post(BALANCES, json={"entries": [entry()]})).status_code == 401
    assert (await enter(client)).status_code == 400
