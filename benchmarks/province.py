"""The portals of a province for years: their traffic day by day, and the paths of earlier years."""

from collections.abc import AsyncIterator
from itertools import pairwise
from random import Random

import msgspec

from benchmarks import portals
from services.enrich.agents import read_agent
from services.model.calendar import Grain, to_date
from services.model.hit import Hit
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.model.site import Site
from services.store.interface import Store

SITES = 30
DAYS = 365
HITS = 40_000_000
"""Of the year that is simulated."""
PAGES = 1_500_000
"""Of all sites at the end of it."""
EARLIER_DAYS = 2 * DAYS
FLUSHES_A_DAY = 12
"""A quiet aggregator flushes with every hit or two; so many would take the year that they say."""
NEWS = 500
"""So many newest pages of a site share half of its views, one the more the newer it is."""

_PAGES_AT_FIRST = 0.4
_VIEWS_A_VISIT = (1, 1, 2, 2, 3, 6)
_BOTS = 0.1
_PAUSE_MS = 40_000
_SOURCES = ("", "", "", "google.com", "facebook.com", "zalo.me")
_COUNTRIES = ("VN", "VN", "VN", "VN", "VN", "VN", "VN", "US", "JP", "FR")
_SEED = 2026
_DRAWN_AT_ONCE = 1_000_000

# Half of the views are of the newest pages, half of any page, as those are that a search finds.
_EARLIER = f"""
INSERT INTO counters (site, grain, start, path, views, visits, position)
SELECT %(site)s AS site, 'day' AS grain, day AS start,
    concat('/tin-tuc/', %(site)s, '-bai-viet-so-', toString(page), '.html') AS path,
    count() AS views, countIf(chance %% 5 < 2) AS visits,
    toUInt64(toRelativeDayNum(day)) * 86400000 * 1048576 AS position
FROM (
    SELECT
        toDate(toUInt16(%(first)s + intDiv(number, %(a_day)s))) AS day,
        intHash32(number + %(seed)s) AS chance,
        intHash32(number + %(seed)s + 1000000007) / 4294967296.0 AS share,
        toUInt64(%(pages)s * ({_PAGES_AT_FIRST} + %(growth)s
            * (%(passed)s + intDiv(number, %(a_day)s)))) + 1 AS known,
        if(chance %% 2 = 0,
            toUInt64(known - 1 - least(known - 1, toUInt64(pow({NEWS}, share)))),
            toUInt64(share * known)) AS page
    FROM system.numbers LIMIT %(count)s
)
GROUP BY day, page
"""
# Constants stand outside: within, their names would hide the columns that are compared.
_WHOLE_SITE = """
INSERT INTO counters (site, grain, start, path, views, visits, position)
SELECT site, 'day' AS grain, start, '' AS path, of_all, begun, newest
FROM (
    SELECT site, start, sum(views) AS of_all, sum(visits) AS begun, max(position) AS newest
    FROM counters FINAL
    WHERE site IN %(sites)s AND grain = 'day' AND path != '' AND start < %(end)s
    GROUP BY site, start
)
"""
_LONGER = """
INSERT INTO counters (site, grain, start, path, views, visits, position)
SELECT site, '{grain}' AS grain, period, path, of_all, begun, newest
FROM (
    SELECT site, {begin} AS period, path,
        sum(views) AS of_all, sum(visits) AS begun, max(position) AS newest
    FROM counters FINAL
    WHERE site IN %(sites)s AND grain = 'day' AND start < %(end)s
    GROUP BY site, period, path
)
"""
_BEGINS = {
    Grain.MONTH: "toStartOfMonth(start)",
    Grain.YEAR: "toStartOfYear(start)",
    Grain.TOTAL: "toDate(0)",
}


class Province(msgspec.Struct, frozen=True, kw_only=True):
    """How much its portals are read: hits of the year, and all pages at the end of it."""

    hits: int = HITS
    pages: int = PAGES
    flushes_a_day: int = FLUSHES_A_DAY

    def times(self, share: float) -> "Province":
        """Return one of so many times the hits, pages and flushes; sites and days stay."""
        return Province(
            hits=int(self.hits * share),
            pages=int(self.pages * share),
            flushes_a_day=max(1, int(self.flushes_a_day * share)),
        )

    @property
    def sites(self) -> list[Site]:
        """The portals, the one with most visitors first."""
        return portals.sites(SITES)

    @property
    def hits_a_flush(self) -> int:
        """Hits that the aggregator has folded when it writes them."""
        return self.hits // DAYS // self.flushes_a_day

    def shares(self) -> list[float]:
        """Return which part of the hits, and of the pages, each site has."""
        weights = [0.0, *portals.zipf(SITES)]
        return [(end - start) / weights[-1] for start, end in pairwise(weights)]

    def pages_of(self, share: float, day: int) -> int:
        """Return how many pages a site has on a day, counted from the first of all years."""
        return int(self.pages * share * (_PAGES_AT_FIRST + _GROWTH * day)) + 1


_GROWTH = (1 - _PAGES_AT_FIRST) / (EARLIER_DAYS + DAYS)
"""A day."""


class Traffic:
    """Made-up readers of a province, always the same."""

    def __init__(self, province: Province, first_day: int, seed: int = _SEED) -> None:
        self._province = province
        self._before = first_day - EARLIER_DAYS
        self._random = Random(seed)
        self._sites = [
            (site.slug, share, partition_of(site.slug, DEFAULT_PARTITIONS))
            for site, share in zip(province.sites, province.shares(), strict=True)
        ]
        self._weights = portals.zipf(SITES)
        self._agents = [read_agent(agent) for agent in portals.agents()]

    def hits(self, day: int, first_ms: int, end_ms: int, count: int) -> dict[int, list[Hit]]:
        """Return hits from one time to before another, both on that day, by partition and time."""
        chance = self._random
        made: dict[int, list[Hit]] = {}
        left = count
        while left > 0:
            slug, share, partition = chance.choices(self._sites, cum_weights=self._weights)[0]
            agent, bot = chance.choice(self._agents), chance.random() < _BOTS
            known = self._province.pages_of(share, day - self._before)
            visitor, at = chance.getrandbits(64), chance.randrange(first_ms, end_ms)
            source, country = chance.choice(_SOURCES), chance.choice(_COUNTRIES)
            for _ in range(min(left, chance.choice(_VIEWS_A_VISIT))):
                hit = Hit(
                    site=slug,
                    path=f"/tin-tuc/{slug}-bai-viet-so-{self._page(known)}.html",
                    at=min(at, end_ms - 1),
                    day=day,
                    visitor=visitor,
                    bot=bot,
                    host=f"{slug}.example",
                    source=source,
                    device=agent.device,
                    browser=agent.browser,
                    os=agent.os,
                    country=country,
                )
                made.setdefault(partition, []).append(hit)
                left -= 1
                at += chance.randrange(_PAUSE_MS)
                source = ""
        return {number: sorted(hits, key=lambda hit: hit.at) for number, hits in made.items()}

    def _page(self, known: int) -> int:
        chance = self._random.random()
        if self._random.random() < 0.5:
            return int(chance * known)
        return max(0, known - 1 - int(NEWS**chance))


async def write_earlier_years(
    store: Store, province: Province, first_day: int
) -> AsyncIterator[float]:
    """Write what two years before a day have left in the counters; yield which part is written.

    No raw hits: those of so long ago are dropped by then.
    """
    before, end = first_day - EARLIER_DAYS, to_date(first_day)
    names: list[str] = []
    drawn = 0
    for number, (site, share) in enumerate(zip(province.sites, province.shares(), strict=True)):
        a_day = max(1, int(province.hits * share / DAYS))
        at_once = max(1, min(EARLIER_DAYS, _DRAWN_AT_ONCE // a_day))
        for passed in range(0, EARLIER_DAYS, at_once):
            parameters = {
                "site": site.slug,
                "first": before + passed,
                "a_day": a_day,
                "count": min(at_once, EARLIER_DAYS - passed) * a_day,
                "seed": passed * a_day + number * 100_000_000,
                "pages": province.pages * share,
                "growth": _GROWTH,
                "passed": passed,
            }
            await store.execute(_EARLIER, parameters)
        names.append(site.slug)
        drawn += a_day * EARLIER_DAYS
        if drawn >= _DRAWN_AT_ONCE or number + 1 == SITES:
            of_sites = {"sites": names, "end": end}
            await store.execute(_WHOLE_SITE, of_sites)
            for grain, begin in _BEGINS.items():
                await store.execute(_LONGER.format(grain=grain.value, begin=begin), of_sites)
            names, drawn = [], 0
        yield (number + 1) / SITES
