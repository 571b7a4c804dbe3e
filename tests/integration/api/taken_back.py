"""A few days of a portal for tests of corrections, and what its numbers have to be."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import httpx

from services.aggregator.flush import Flusher
from services.aggregator.fold import PartitionFold
from services.model.calendar import to_day
from services.model.hit import Hit
from services.model.lines import PERIODS
from services.model.partition import DEFAULT_PARTITIONS
from services.store.interface import Store
from tests.integration.api.people import ADMIN
from tests.integration.api.world import HANOI
from tests.integration.stats import history
from tests.integration.stats.expected import visits
from tests.patience import PATIENCE_SECONDS

CORRECTIONS = "/api/admin/sites/mytho/corrections"
TODAY = date(2024, 1, 3)
PAGES = ("/", "/tin-tuc/1", "/tin-tuc/2", "/gioi-thieu", "/a%b_c")
COUNTRIES = ("VN", "VN", "US", "")
SOURCES = ("", "google.com", "spam.example")
AGENTS = (("desktop", "Chrome", "Windows"), ("mobile", "Safari", "iOS"), ("", "", ""))


def at(text: str, day: date = TODAY) -> int:
    """Return a local time of a day, such as 09:30 or 09:30:15, in ms since 1970."""
    return int(datetime.fromisoformat(f"{day} {text}").replace(tzinfo=HANOI).timestamp() * 1000)


def view(path: str, when: int, visitor: int = 1, **more: Any) -> Hit:
    """Return one view."""
    day = to_day(datetime.fromtimestamp(when / 1000, HANOI).date())
    host = more.pop("host", "mytho.example")
    return Hit(site="mytho", path=path, at=when, day=day, visitor=visitor, host=host, **more)


def traffic(seed: int, days: Sequence[date] = (date(2024, 1, 2), TODAY)) -> list[Hit]:
    """Return random hits of some mornings, ordered by time; some readers have no hash."""
    chance = random.Random(seed)
    hits = []
    for day in days:
        for _ in range(12):
            visitor = 0 if chance.random() < 0.1 else chance.getrandbits(63) + 1
            device, browser, os = chance.choice(AGENTS)
            country, source = chance.choice(COUNTRIES), chance.choice(SOURCES)
            bot = chance.random() < 0.1
            when = at("00:00", day) + chance.randrange(8 * 60) * 60_000
            for _ in range(chance.choice((1, 1, 2, 4, 7))):
                hits.append(
                    view(
                        chance.choice(PAGES),
                        when,
                        visitor,
                        bot=bot,
                        country=country,
                        source=source,
                        device=device,
                        browser=browser,
                        os=os,
                    )
                )
                when += chance.choice((1, 9, 20, 29, 31)) * 60_000 + chance.randrange(2) * 500
    return sorted(hits, key=lambda hit: hit.at)


async def count(store: Store, hits: Sequence[Hit]) -> None:
    """Fold and flush hits, as the aggregator does."""
    await history.flush(store, sorted(hits, key=lambda hit: hit.at))


class Aggregator:
    """Counts hits as they come, and remembers who is in the middle of a visit."""

    def __init__(self, store: Store) -> None:
        self._folds = [PartitionFold(number) for number in range(DEFAULT_PARTITIONS)]
        self._flusher = Flusher(store, hot_rows=100_000)

    async def count(self, hits: Sequence[Hit]) -> None:
        """Fold and flush hits that come after all before."""
        await self._flusher.flush(list(history.folded(self._folds, hits)), [], [])


def numbers_of(hits: Iterable[Hit], today: date = TODAY) -> dict[str, dict[str, int]]:
    """Return the lines of the block that hits make, in every measure, worked out by hand."""
    views: Counter[int] = Counter()
    begun: Counter[int] = Counter()
    seen: dict[int, set[int]] = {}
    for each in visits(hits):
        if each.hit.bot:
            continue
        views[each.hit.day] += 1
        begun[each.hit.day] += each.begins
        if each.hit.visitor:
            seen.setdefault(each.hit.day, set()).add(each.hit.visitor)
    by_measure = {
        "views": views,
        "visits": begun,
        "visitors": Counter({day: len(who) for day, who in seen.items()}),
    }
    lines = {}
    for measure, of_day in by_measure.items():
        lines[measure] = {
            line.value: sum(
                of_day[day]
                for grain, start in rows(to_day(today))
                for day in of_day
                if _lies_in(day, grain, start)
            )
            for line, rows in PERIODS.items()
        }
    return lines


def _lies_in(day: int, grain: str, start: int) -> bool:
    first, of = date.fromordinal(day + date(1970, 1, 1).toordinal()), str(grain)
    begin = date.fromordinal(start + date(1970, 1, 1).toordinal())
    return {
        "day": first == begin,
        "month": (first.year, first.month) == (begin.year, begin.month),
        "year": first.year == begin.year,
        "total": True,
    }[of]


async def patient(client: httpx.AsyncClient, method: str, url: str, **more: Any) -> httpx.Response:
    """Ask until it is not answered "later" (503): on a busy machine a server may be slow."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := await client.request(method, url, **more)).status_code == 503:
        if time.monotonic() > deadline:
            break
    return answer


async def public(client: httpx.AsyncClient, **query: Any) -> dict[str, dict[str, int]]:
    """Return the lines of the public counter in every measure."""
    lines = {}
    for measure in ("views", "visits", "visitors"):
        answer = await client.get("/api/counter/mytho", params={"metric": measure, **query})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["stale"] is False
        lines[measure] = {line.value: body[line.value] for line in PERIODS}
    return lines


async def preview(client: httpx.AsyncClient, **query: Any) -> Any:
    """Look at what a correction would take away."""
    url = f"{CORRECTIONS}/preview"
    answer = await patient(client, "POST", url, json=_query(query), headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def take_back(client: httpx.AsyncClient, **query: Any) -> Any:
    """Look at a correction, and make it as it was shown."""
    found = await preview(client, **query)
    made = await patient(
        client,
        "POST",
        CORRECTIONS,
        json={
            **{name: found[name] for name in ("id", "query", "up_to", "views")},
            "reason": "lượt truy cập giả",
        },
        headers=ADMIN,
    )
    assert made.status_code == 201, made.text
    return made.json()


async def give_back(client: httpx.AsyncClient, name: str) -> Any:
    """Reverse a correction."""
    answer = await client.post(
        f"{CORRECTIONS}/{name}/reverse", json={"reason": "nhầm"}, headers=ADMIN
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def _query(query: dict[str, Any]) -> dict[str, Any]:
    return {"from": "2024-01-01T00:00", **query}
