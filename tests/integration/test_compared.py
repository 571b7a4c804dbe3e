"""Every comparison of 160 sites over three years, beside an independent computation in DuckDB.

DuckDB is given the moments of visits and the zones of sites, and finds by itself which day each
belongs to, which days a period has, and which it is compared with (compared.sql).
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
import pytest_asyncio

from services.api.stats import answers
from services.api.stats.grammar.site_query import CHARTED, SiteQuery, scope_of
from services.api.stats.panels.breakdowns import question_of
from services.api.stats.readers.changes import both
from services.api.stats.readers.reader import StatsReader
from services.model.calendar import Grain, period_start, to_date, to_day
from services.model.site import Site
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store

pytestmark = pytest.mark.asyncio(loop_scope="module")

SQL = Path(__file__).with_name("compared.sql")
FIRST, LAST = datetime(2022, 3, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
HOURS = int((LAST - FIRST).total_seconds()) // 3600
ZONES = (
    *("Asia/Ho_Chi_Minh",) * 5,
    # Clocks that are set by an hour, to either side of the equator, by half an hour, and at
    # midnight itself; and one that is never set, half an hour beside the others.
    *("Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe"),
    *("Asia/Beirut", "Asia/Kolkata"),
)
SITES = [
    Site(slug=f"portal-{n}", hosts=(f"portal-{n}.example",), timezone=ZONES[n % len(ZONES)])
    for n in range(160)
]
BEGUN = {0: 0.0, 1: 0.0, 2: 0.4, 3: 0.7}
"""Which part of the time was over when a site began to be counted, by its number."""
HOLES = ((date(2022, 11, 10), date(2023, 1, 20)), (date(2024, 2, 3), date(2024, 2, 20)))
"""From and to which day nothing was counted of every third site."""
RATES = (0.02, 0.3, 1.0, 2.0)
"""Visits in a day."""

TODAYS = [
    *("2023-02-28", "2023-03-29", "2023-03-31", "2023-05-31", "2024-02-29", "2024-03-30"),
    *("2024-03-31", "2024-05-14", "2024-05-15", "2024-06-30", "2024-09-14", "2024-11-03"),
    *("2024-12-14", "2024-12-15", "2024-12-31", "2025-01-01", "2025-02-28"),
]
"""Ends of months of 28, 29, 30 and 31 days, of quarters, halves and years, of reports and the days
after, and days on which clocks are set."""
PAST = ["2024-02-29", "2023-12-15", "2024-03-14", "2023-08-31"]
"""Days within periods that are over."""
PERIODS = [
    *("day", "yesterday", "7d", "30d", "month", "quarter", "half", "nine_months", "year", "12mo"),
    *("report_month", "report_quarter", "report_half", "report_nine_months", "report_year"),
]
OWN = {
    ("2024-02-01", "2024-02-29"): 1,
    ("2023-12-15", "2024-03-14"): 3,
    ("2024-02-29", "2024-03-30"): 0,
    ("2024-01-01", "2024-12-31"): 12,
}
"""Dates of one's own, and how many whole months these are."""
AGAINST = ("2023-01-31", "2023-03-01")


class Visit(NamedTuple):
    """A visit to a site, by its number, at a moment in ms since 1970."""

    site: int
    at: int
    visitor: int
    views: int


class Case(NamedTuple):
    """A question: how a site's period does, as of a day."""

    id: int
    site: int
    today: str
    period: str
    day: str | None
    custom_first: str | None
    custom_last: str | None
    months: int
    compare: str
    against_first: str | None
    against_last: str | None

    @property
    def query(self) -> SiteQuery:
        own = f"{self.custom_first},{self.custom_last}" if self.custom_first else ""
        against = f"{self.against_first},{self.against_last}" if self.against_first else ""
        return SiteQuery(self.period, self.day or own, compare=against or self.compare)


COLUMNS = {
    "sites": "site INT, zone TEXT",
    "visits": "site INT, moment BIGINT, visitor INT, views INT",
    "cases": """id INT, site INT, today DATE, period TEXT, day DATE, custom_first DATE,
        custom_last DATE, months INT, compare TEXT, against_first DATE, against_last DATE""",
}
"""The tables that DuckDB gets; a moment is in ms since 1970."""


def cases() -> list[Case]:
    """Return each period of each day against each other one, of one site after the other."""
    last, none = TODAYS[-1], (None, None)
    usual = ("previous_period", "year_over_year")
    asked = [
        *(
            (today, name, None, *none, 0, how, *none)
            for today, name, how in product(TODAYS, PERIODS, usual)
        ),
        *(
            (last, name, day, *none, 0, how, *none)
            for day, name, how in product(PAST, PERIODS, usual)
            if name != "yesterday"
        ),
        *(
            (last, "custom", None, *days, OWN[days], how, *none)
            for days, how in product(OWN, usual)
        ),
        *((last, name, None, *none, 0, "custom", *AGAINST) for name in PERIODS),
    ]
    # A number that shares no factor with that of the sites, so that periods and sites mix.
    return [Case(n, n * 37 % len(SITES), *one) for n, one in enumerate(asked)]


def made_up(seed: int = 17) -> Iterator[Visit]:
    """Yield the visits, site by site."""
    chance = random.Random(seed)
    start = int(FIRST.timestamp() * 1000)
    for n in range(len(SITES)):
        begun = int(HOURS * BEGUN[n % len(BEGUN)])
        for _ in range(int(RATES[n // 4 % len(RATES)] * (HOURS - begun) / 24)):
            # Days turn at whole hours and at halves: a moment before, then, a moment after.
            half_hours = chance.randrange(2 * begun, 2 * HOURS)
            at = start + half_hours * 1_800_000 + chance.choice((-1, 0, 1, 700_000))
            day = datetime.fromtimestamp(at / 1000, UTC).date()
            if n % 3 == 1 and any(first <= day <= last for first, last in HOLES):
                continue
            yield Visit(n, at, chance.randrange(1, 5), chance.choice((1, 1, 2, 5)))


@pytest.fixture(scope="module")
def visits() -> list[Visit]:
    return list(made_up())


@pytest.fixture(scope="module")
def expected(visits: list[Visit], tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """What DuckDB makes of it, by the number of a case."""
    database = duckdb.connect(config={"autoinstall_known_extensions": "false", "threads": "2"})
    tables: dict[str, Sequence[tuple[Any, ...]]] = {
        "sites": [(n, site.timezone) for n, site in enumerate(SITES)],
        "visits": visits,
        "cases": cases(),
    }
    folder = tmp_path_factory.mktemp("duckdb")
    for name, rows in tables.items():
        path = folder / f"{name}.csv"
        lines = (",".join("" if cell is None else str(cell) for cell in row) for row in rows)
        path.write_text("\n".join(lines), "utf-8")
        database.execute(f"CREATE TABLE {name} ({COLUMNS[name]})")
        database.execute(f"COPY {name} FROM '{path}' (HEADER false)")
    database.execute(SQL.read_text("utf-8"))
    found = {row[0]: row[1:] for row in database.fetchall()}
    database.close()
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(
    visits: list[Visit], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[StatsReader]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('compared')}/store")
    await migrate(store)
    await fill(store, visits)
    reader = StatsReader(store)
    yield reader
    await reader.close()
    await store.close()


async def fill(store: Store, visits: list[Visit]) -> None:
    """Write what the aggregator would have counted, on the days that the sites' calendars say."""
    counted: dict[tuple[int, Grain, int], Counter[str]] = {}
    days = [SITES[n].day_of(at) for n, at, _, _ in visits]
    for (n, _, _, views), day in zip(visits, days, strict=True):
        for grain in (Grain.DAY, Grain.MONTH, Grain.YEAR):
            row = counted.setdefault((n, grain, period_start(day, grain)), Counter())
            row.update(views=views, visits=1)
    size = len(counted)
    await store.insert(
        "counters",
        {
            "site": [SITES[n].kept_as for n, _, _ in counted],
            "grain": [grain.value for _, grain, _ in counted],
            "start": [start for _, _, start in counted],
            "path": [""] * size,
            "views": [row["views"] for row in counted.values()],
            "visits": [row["visits"] for row in counted.values()],
            "position": [1] * size,
        },
    )
    # They count in the sketches of visitors, and are kept nowhere.
    await store.insert(
        "old_hits",
        {
            "site": [SITES[n].kept_as for n, _, _, _ in visits],
            "day": days,
            "visitor": [visitor for _, _, visitor, _ in visits],
            "bot": [0] * len(visits),
        },
    )


@pytest.mark.parametrize("period", [*PERIODS, "custom"])
async def test_a_period_and_its_change_are_what_duckdb_computes(
    reader: StatsReader, expected: dict[int, Any], period: str
) -> None:
    wrong = []
    for case in (one for one in cases() if one.period == period):
        site = SITES[case.site]
        today = to_day(date.fromisoformat(case.today))
        scope = scope_of(case.query, today)
        assert scope.before is not None
        # Today is over: it is compared with a whole day.
        at_ms = site.start_of(today + 1)
        queries = await both(reader, question_of(site, scope, CHARTED), scope.before, at_ms)
        now = await reader.total(queries.now)
        before = queries.told(await reader.total(queries.before))
        figures = answers.aggregate(CHARTED, now, before)
        said = [
            *(to_date(day) for day in (*scope.elapsed, *scope.before)),
            *(figures[measure]["value"] for measure in CHARTED),
        ]
        right = expected[case.id]
        changes = [figures[measure]["change"] for measure in CHARTED]
        if said != list(right[:7]) or not all(map(is_rounded, changes, right[7:])):
            wrong.append((case, site.timezone, said, changes, right))
    assert not wrong, "\n".join(map(str, wrong[:5]))


def is_rounded(said: float | None, exact: float | None) -> bool:
    """Tell whether a whole percentage is the exact one, to the half."""
    if said is None or exact is None:
        return said is exact
    return abs(said - exact) <= 0.5 + 1e-9


async def test_the_made_up_years_have_what_comparisons_stumble_over(
    expected: dict[int, Any], visits: list[Visit]
) -> None:
    changes = [row[7] for row in expected.values()]
    assert len(expected) == len(cases()) > 600
    assert len({case.site for case in cases()}) == len(SITES)
    assert 50 < sum(change is None for change in changes) < len(changes) / 2
    assert sum(change is not None and change < 0 for change in changes) > 50
    zones = {SITES[n].timezone: 0 for n in range(len(SITES))}
    for n, at, _, _ in visits:
        zones[SITES[n].timezone] += SITES[n].day_of(at) != at // 86_400_000
    assert min(zones.values()) > 500
