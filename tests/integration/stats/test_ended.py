"""Visits that were put together before say what raw hits say, whatever comes after."""

import asyncio
import random
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.api.stats.grammar.filters import Property, parse
from services.api.stats.grammar.measures import LENGTHS, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.periods.spans import Interval, Span
from services.api.stats.queries import coverage
from services.api.stats.readers import ending
from services.api.stats.readers.reader import StatsReader
from services.model.calendar import day_start_ms, to_date, to_day
from services.model.hit import Hit
from services.model.site import Site
from services.store.counts import corrections, erasures
from services.store.counts import hits as raw_hits
from services.store.counts.corrections import Correction
from services.store.interface import Store
from tests.integration.stats import history
from tests.patience import rounds

pytestmark = pytest.mark.asyncio(loop_scope="module")

SITE = Site(slug="ended", hosts=("ended.example",), timezone="Pacific/Kiritimati")
DAYS = Span(to_day(date(2024, 4, 29)), to_day(date(2024, 5, 2)))
SHORTER = Span(DAYS.first + 1, DAYS.last)
PAGES = (Measure.PAGEVIEWS, Measure.VISITS, Measure.VISITORS)
FILTERS = (
    "",
    "event:page==/b*",
    "visit:country==VN;event:page!=/b*",
    "visit:channel==Direct;visit:device==mobile;visit:utm_medium!=email",
)
AT = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()


def made_up(days: Span, seed: int = 5) -> list[Hit]:
    """Return hits of many visitors with many visits, also from before midnight and of bots."""
    chance = random.Random(seed)
    hits = [
        Hit(
            site=SITE.slug,
            path=chance.choice(("/", "/a", "/bài", "/b/1", "/b/2")),
            at=day_start_ms(day, SITE.timezone) + place * 6_000_000 + chance.randrange(9_000_000),
            day=day,
            # Nobody is the same on two days.
            visitor=visitor and (visitor * 2**40 + day) * (2**17 - 1),
            bot=chance.random() < 0.05,
            source=chance.choice(("", "google.com", "bao.example")),
            utm_medium=chance.choice(("", "", "email")),
            country=chance.choice(("VN", "FR", "")),
            device=chance.choice(("mobile", "desktop")),
        )
        for day in range(days.first, days.last + 1)
        for visitor in range(70)
        for place in range(chance.randrange(6))
    ]
    return sorted(hits, key=lambda hit: hit.at)


class World:
    """One site, read with and without what was put together before."""

    def __init__(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        self.store, self._patch = store, patch
        self.at = AT
        self.keeper = ending.VisitsKeeper(self.store, lambda: self.at, lambda: self.at)
        self.reader = StatsReader(self.store, keeper=self.keeper)
        self.raw = StatsReader(self.store)

    async def close(self) -> None:
        await asyncio.gather(self.reader.close(), self.raw.close())
        await self.keeper.close()

    async def ended(self) -> set[int]:
        """Return the days of which the visits need not be put together."""
        counted = await self.reader.snapshot(SITE, DAYS)
        found = await coverage.found(self.store, SITE.kept_as, DAYS, counted)
        return set(found.coverage.ended)

    async def together(self) -> set[int]:
        """Let everything be put together that somebody asks for now; return which days are."""
        self.at += 3600 * 1.5
        await self.reader.total(StatsQuery(SITE, DAYS, tuple(LENGTHS)))
        await self.keeper.finish()
        return await self.ended()

    async def agree(self, *, whole: bool = False) -> None:
        """Ask both ways: lengths of each day and exit pages, or the `whole` of it."""
        ask = self._answers if whole else self._first_answers
        answers = await ask(self.reader)
        self._patch.setattr(coverage, "LEAST_VIEWS", 10**9)
        assert answers == await ask(self.raw)
        self._patch.setattr(coverage, "LEAST_VIEWS", 1)

    async def _first_answers(self, reader: StatsReader) -> list[Any]:
        asked = StatsQuery(SITE, DAYS, (Measure.VISITS, *sorted(LENGTHS)))
        of_ends = StatsQuery(SITE, DAYS, (Measure.VISITS, Measure.VISITORS))
        of_pages = StatsQuery(SITE, DAYS, PAGES)
        return [
            await reader.timeseries(asked, Interval.DATE),
            await reader.breakdown(of_ends, BreakdownQuery(Property.EXIT_PAGE, 50, 1)),
            await reader.breakdown(of_pages, BreakdownQuery(Property.PAGE, 50, 1)),
        ]

    async def _answers(self, reader: StatsReader) -> list[Any]:
        ends = (Measure.VISITS, Measure.VISITORS)
        found: list[Any] = []
        for text in FILTERS:
            filters = parse(text)
            for days in (SHORTER,) if text else (SHORTER, DAYS):
                asked = StatsQuery(SITE, days, (Measure.VISITS, *sorted(LENGTHS)), filters)
                found.append(await reader.timeseries(asked, Interval.DATE))
                found += [
                    await reader.breakdown(asked, BreakdownQuery(by, 50, 1))
                    for by in (Property.ENTRY_PAGE, Property.SOURCE, Property.CHANNEL)
                ]
                of_ends = StatsQuery(SITE, days, ends, filters)
                of_exits = BreakdownQuery(Property.EXIT_PAGE, 50, 1)
                found.append(await reader.breakdown(of_ends, of_exits))
                for measures in (PAGES, (Measure.PAGEVIEWS,), (Measure.VISITS, Measure.BOTS)):
                    of_pages = StatsQuery(SITE, days, measures, filters)
                    found.append(
                        await reader.breakdown(of_pages, BreakdownQuery(Property.PAGE, 50, 1))
                    )
        until = StatsQuery(SITE, DAYS, tuple(LENGTHS)).about(
            DAYS, day_start_ms(DAYS.last, SITE.timezone) + 40_000_000
        )
        found.append(await reader.total(until))
        found.append(await reader.timeseries(until.about(DAYS), Interval.HOUR))
        return found


async def merged(store: Store) -> None:
    """Let the table forget what it holds twice."""
    for month in (202404, 202405):
        await store.execute(f"OPTIMIZE TABLE hits PARTITION {month} FINAL")


async def test_they_say_what_raw_hits_say_until_these_change(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "LEAST_VIEWS", 1)
    monkeypatch.setattr(ending, "VIEWS_AT_ONCE", 300)
    hits, every = made_up(DAYS), set(range(DAYS.first, DAYS.last + 1))
    await history.flush(store, hits)
    world = World(store, monkeypatch)
    try:
        assert await world.ended() == set()
        assert await world.together() == every
        await world.agree(whole=True)

        # A late hit, which goes on with a visit: first the table has all others twice.
        first = next(hit for hit in hits if hit.day == DAYS.first and not hit.bot)
        late = Hit(site="ended", path="/trễ", at=first.at + 1, day=first.day, visitor=first.visitor)
        hits = sorted([*hits, late], key=lambda hit: hit.at)
        await history.flush(store, hits)
        await world.agree()
        await merged(store)
        assert await world.ended() == every - {DAYS.first}
        assert await world.together() == every
        await world.agree()

        # A correction that takes the first view of a visit, and is taken back.
        (day, position, idx), *_ = await store.execute(
            "SELECT toUInt16(day), position, idx FROM hits"
            " WHERE site = 'ended' AND visit = 1 ORDER BY day DESC, at LIMIT 1"
        )
        hit: dict[str, list[Any]] = {"site": [SITE.kept_as], "day": [day], "run": ["0a"]}
        hit |= {"position": [position], "idx": [idx]}
        await store.insert("corrected_hits", hit)
        await correct(store, "0a", "", day)
        assert await world.ended() == every - {day}
        await world.agree()
        assert await world.together() == every
        await world.agree(whole=True)
        await correct(store, "0b", "id-0a", day)
        assert await world.ended() == every - {day}
        assert await world.together() == every
        await world.agree()

        # What goes back to its page changes no key of a hit.
        given: dict[str, list[Any]] = {"site": [SITE.kept_as], "path": ["/a"], "version": [1]}
        given |= {"day": [DAYS.first + 1], "views": [0], "visits": [0]}
        await store.insert("returned_views", given)
        assert await world.ended() == every - {DAYS.first + 1}
        assert await world.together() == every

        # Older versions are cleared away, and with the hits all of them.
        for _ in rounds(0.1):
            ((versions,),) = await store.execute(
                "SELECT max(of_table) FROM (SELECT uniqExact(version) AS of_table"
                " FROM ended_visits UNION ALL SELECT uniqExact(version) FROM ended_pages)"
            )
            if versions <= len(every) + 1:
                break
            await world.together()
            await asyncio.sleep(0.1)
        assert versions <= len(every) + 1
        await raw_hits.drop_months_before(store, to_day(date(2024, 5, 1)))
        left = [(to_date(day),) for day in sorted(every) if day > DAYS.first + 1]
        for table in ("ended_visits", "ended_pages"):
            assert await store.execute(f"SELECT DISTINCT day FROM {table} ORDER BY day") == left
        await erasures.delete(store, [SITE.kept_as])
        for table in ("ended_visits", "ended_pages"):
            assert await store.execute(f"SELECT count() FROM {table}") == [(0,)]
        assert await world.ended() == set()
    finally:
        await world.close()


async def correct(store: Store, run: str, reverses: str, day: int) -> None:
    """Add a row to the ledger: one visit of a day, or its reversal."""
    sign = -1 if reverses else 1
    row = Correction(
        f"id-{run}", run, reverses, day, day, 2**62, sign, sign, 0, "{}", "an", sign + 5, ""
    )
    await corrections.add(store, SITE.kept_as, row)
