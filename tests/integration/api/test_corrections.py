"""Views are taken back and given back, and every number follows: on both kinds of store."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest

from services.model.hit import Hit
from services.store.interface import Store
from tests.integration.api import taken_back as world
from tests.integration.api.people import ADMIN, audit
from tests.integration.api.taken_back import (
    at,
    give_back,
    numbers_of,
    preview,
    public,
    take_back,
    view,
)
from tests.integration.api.world import EITHER_STORE, Clock
from tests.integration.stats.expected import visits

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

SPAM = "/mot-cau-cua-nguoi-la"


def flood(size: int, when: int, path: str = SPAM) -> list[Hit]:
    """Return views that one machine makes up, each of another visitor."""
    return [view(path, when + number, 1_000 + number, country="RU") for number in range(size)]


async def test_a_flood_is_looked_at_taken_back_and_given_back(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    people = world.traffic(1)
    fakes = flood(300, at("09:00"))
    await world.count(store, [*people, *fakes])
    whole, honest = numbers_of([*people, *fakes]), numbers_of(people)
    assert await public(client) == whole

    found = await preview(client, filters=f"event:page=={SPAM}")
    assert (found["views"], found["visits"], found["visitors"]) == (300, 300, 300)
    assert found["days"] == [{"day": "2024-01-03", "views": 300, "visits": 300, "visitors": 300}]
    assert [page["path"] for page in found["pages"]] == [SPAM]
    assert found["pages"][0]["total"] == {"before": 300, "after": 0}
    for measure, lines in found["numbers"].items():
        assert {line: number["before"] for line, number in lines.items()} == whole[measure]
        assert {line: number["after"] for line, number in lines.items()} == honest[measure]
    clock.now += 2
    assert await public(client) == whole, "a preview changes nothing"

    made = await take_back(client, filters=f"event:page=={SPAM}")
    clock.now += 2
    assert await public(client) == honest
    again = await preview(client, filters=f"event:page=={SPAM}")
    assert (again["views"], again["visits"], again["pages"]) == (0, 0, [])

    back = await give_back(client, made["id"])
    assert (back["views"], back["reverses"]) == (-300, made["id"])
    clock.now += 2
    assert await public(client) == whole
    assert [entry["action"] for entry in await audit(client, site="mytho")] == [
        "correction.reverse",
        "correction.add",
    ]


CONDITIONS: dict[str, Callable[[Hit], bool]] = {
    "event:page==/tin-tuc/*": lambda hit: hit.path.startswith("/tin-tuc/"),
    "event:page==/a%b_c": lambda hit: hit.path == "/a%b_c",
    "visit:country!=VN": lambda hit: hit.country != "VN",
    "visit:source==spam.example|google.com": lambda hit: bool(hit.source),
    "event:page==/;visit:browser==Chrome": lambda hit: hit.path == "/" and hit.browser == "Chrome",
    "visit:device==(not set)": lambda hit: not hit.device,
    "": lambda hit: True,
}


class Books:
    """What was counted and what was taken back, kept by the test."""

    def __init__(self, hits: list[Hit]) -> None:
        self.hits = hits
        self.taken: dict[str, set[int]] = {}

    @property
    def left(self) -> list[Hit]:
        gone = set().union(*self.taken.values()) if self.taken else set()
        return [hit for number, hit in enumerate(self.hits) if number not in gone]

    def found(self, fits: Callable[[Hit], bool], first: int, last: int, more_than: int) -> set[int]:
        gone = set().union(*self.taken.values()) if self.taken else set()
        fitting = [
            number
            for number, hit in enumerate(self.hits)
            if number not in gone and not hit.bot and fits(hit) and first <= hit.at < last
        ]
        if more_than:
            views = Counter((self.hits[n].day, self.hits[n].visitor) for n in fitting)
            fitting = [
                n
                for n in fitting
                if self.hits[n].visitor
                and views[self.hits[n].day, self.hits[n].visitor] > more_than
            ]
        return set(fitting)


def seed_of(store_url: str, number: int) -> int:
    """Return the seed of a test: each kind of store sees histories of its own."""
    return 2 * number + store_url.startswith("clickhouse")


@pytest.mark.parametrize("number", range(2))
async def test_random_corrections_and_reversals_leave_what_a_recount_of_the_rest_says(
    client: httpx.AsyncClient, store: Store, store_url: str, clock: Clock, number: int
) -> None:
    seed = seed_of(store_url, number)
    chance = random.Random(seed)
    books = Books(world.traffic(100 + seed))
    await world.count(store, books.hits)

    for _ in range(10):
        if books.taken and chance.random() < 0.4:
            name = chance.choice(list(books.taken))
            await give_back(client, name)
            del books.taken[name]
        else:
            filters, fits = chance.choice(list(CONDITIONS.items()))
            more_than = chance.choice((0, 0, 1, 3))
            first = at("00:00", chance.choice((date(2024, 1, 2), world.TODAY)))
            first += chance.randrange(6 * 60) * 60_000
            last = first + chance.choice((1, 4, 30)) * 3_600_000
            found = books.found(fits, first, min(last, clock.ms), more_than)
            query = {
                "from": _iso(first),
                "to": _iso(last),
                "filters": filters,
                "more_than": more_than,
            }
            seen = await preview(client, **query)
            assert seen["views"] == len(found), query
            if not found:
                continue
            made = await take_back(client, **query)
            books.taken[made["id"]] = found
        clock.now += 2
        await assert_all_agrees(client, books.left)
    for name in list(books.taken):
        await give_back(client, name)
    clock.now += 2
    await assert_all_agrees(client, books.hits)


@pytest.mark.parametrize("number", range(2))
async def test_whatever_comes_in_between_all_of_it_can_be_given_back(
    client: httpx.AsyncClient, store: Store, store_url: str, clock: Clock, number: int
) -> None:
    seed = seed_of(store_url, number)
    chance = random.Random(seed)
    hits = world.traffic(200 + seed)
    aggregator = world.Aggregator(store)
    # Hits of one moment are one entry of the log.
    begins = [n for n in range(1, len(hits)) if hits[n].at > hits[n - 1].at]
    cuts = sorted(chance.sample(begins, 4))
    counted: list[Hit] = []
    made: list[tuple[str, int]] = []
    for first, last in pairwise([0, *cuts, len(hits)]):
        await aggregator.count(hits[first:last])
        counted += hits[first:last]
        for _ in range(2):
            if made and chance.random() < 0.3:
                name, _ = made.pop(chance.randrange(len(made)))
                await give_back(client, name)
            else:
                filters = chance.choice(list(CONDITIONS))
                found = await preview(client, filters=filters)
                if not found["views"]:
                    continue
                one = await take_back(client, filters=filters)
                made.append((one["id"], one["views"]))
            clock.now += 2
            shown = await public(client)
            views = sum(not hit.bot for hit in counted) - sum(views for _, views in made)
            assert shown["views"]["total"] == views
            for line in shown["views"]:
                numbers = [shown[measure][line] for measure in ("visitors", "visits", "views")]
                assert numbers == sorted(numbers), line
                assert numbers[0] >= 0
    chance.shuffle(made)
    for name, _ in made:
        await give_back(client, name)
    clock.now += 2
    await assert_all_agrees(client, hits)


async def assert_all_agrees(client: httpx.AsyncClient, left: list[Hit]) -> None:
    """Hold every public number, the Stats API and the pages against a recount of what is left."""
    expected = numbers_of(left)
    shown = await public(client)
    assert shown["views"] == expected["views"]
    assert shown["visits"] == expected["visits"]
    assert shown["visitors"] == expected["visitors"]
    for line in shown["views"]:
        assert shown["visitors"][line] <= shown["visits"][line] <= shown["views"][line]
    views = Counter(hit.path for hit in left if not hit.bot)
    pages = await client.get(
        "/api/counter/mytho", params={"path": [path for path in world.PAGES if path != "/a%b_c"]}
    )
    for path, of_page in pages.json()["paths"].items():
        assert of_page["views"] == views[path]
    assert await by_page(client, "pageviews") == {path: n for path, n in views.items() if n}
    begun = Counter(each.hit.source for each in visits(left) if each.begins)
    assert await breakdown(client, "visit:referrer", "visits") == {
        source or "Direct / None": n for source, n in begun.items()
    }
    span = "2024-01-02,2024-01-03"
    totals = await stats(client, "aggregate", period="custom", date=span, metrics=METRICS)
    lengths = [each for each in visits(left) if each.begins]
    assert totals == {
        "pageviews": {"value": expected["views"]["total"]},
        "visits": {"value": expected["visits"]["total"]},
        "visitors": {"value": expected["visitors"]["total"]},
        "bounce_rate": {
            "value": round(100 * sum(each.views == 1 for each in lengths) / len(lengths))
            if lengths
            else 0
        },
    }


METRICS = "pageviews,visits,visitors,bounce_rate"


async def stats(client: httpx.AsyncClient, route: str, **query: str) -> Any:
    answer = await client.get(
        f"/api/v1/stats/{route}", params={"site_id": "mytho", **query}, headers=ADMIN
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert "warnings" not in body, body
    return body["results"]


async def breakdown(client: httpx.AsyncClient, by: str, metric: str) -> dict[str, int]:
    rows = await stats(client, "breakdown", property=by, metrics=metric, period="30d")
    return {row[by.partition(":")[2]]: row[metric] for row in rows if row[metric]}


async def by_page(client: httpx.AsyncClient, metric: str) -> dict[str, int]:
    return await breakdown(client, "event:page", metric)


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
