"""The statements that precompute the visits of past days, and delete older versions."""

from collections.abc import Collection, Mapping, Sequence

from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.spans import Span
from services.api.stats.queries import hits
from services.api.stats.queries.visits import BEGUN, GROUPS, MOMENT, SEEN, WHO
from services.store.interface import Store

_NAMES = (
    *("path", "host", "source", "device", "browser", "os", "country", "region"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
)
"""What the first view of a visit says about it."""

# One array per name, each sorted by the moments.
_FILL = """
INSERT INTO ended_visits (site, day, version, seen, is_bounce, ms, exit_path, {names})
SELECT
    %(site)s AS site,
    day,
    %(version)s + toUInt64(day) AS version,
    {seen} AS seen,
    began = ended AS is_bounce,
    toUInt32(intDiv(ended, 4) - intDiv(began, 4)) AS ms,
    exit_path,
    {names}
FROM (
    SELECT
        day,
        shared,
        arrayFilter((moment, first) -> first, moments, firsts) AS all_begun,
        arrayFilter((moment, last) -> last, moments, lasts) AS all_ended,
        arrayFilter((name, last) -> last, all_path, lasts) AS all_exit_path,
        {filtered}
    FROM ({firsts})
)
ARRAY JOIN all_begun AS began, all_ended AS ended, all_exit_path AS exit_path, {joined}
WHERE bitAnd(began, 2) = 0
"""
_SORTED = """
SELECT day, shared, arraySort(unsorted) AS moments, {sorted}
FROM (
    SELECT day, bitAnd(visitor, {last_group}) AS shared, groupArray({moment}) AS unsorted,
        {collected}
    FROM ({hits})
    GROUP BY day, shared
)
"""

_TABLES = ("ended_visits", "ended_pages")
_OLD = """
SELECT DISTINCT version
FROM {table}
WHERE site = %(site)s AND version < %(before)s AND version NOT IN (
    SELECT max(version) FROM ended_days WHERE site = %(site)s GROUP BY day
)
LIMIT 10000
"""
_CLEAR = "ALTER TABLE {table} DELETE WHERE site = %(site)s AND version IN %(versions)s"


async def fill(
    store: Store, site: str, days: Sequence[Span], coverage: Coverage, version: int
) -> None:
    """Precompute the visits of days within one month, each day with its own version.

    version  to which the day is added, in days since 1970-01-01
    """
    columns = ["day", "visitor", "at", "visit", "materialize(1) AS fits", *_NAMES]
    of_hits = hits.source(
        coverage, columns, f" AND bot = 0 AND visitor != 0 AND ({hits.within(days)})"
    )
    in_order = _SORTED.format(
        sorted=", ".join(
            f"arraySort((name, moment) -> moment, some_{name}, unsorted) AS all_{name}"
            for name in _NAMES
        ),
        last_group=GROUPS - 1,
        moment=MOMENT,
        collected=", ".join(f"groupArray(toString({name})) AS some_{name}" for name in _NAMES),
        hits=of_hits,
    )
    passed = ", ".join(f"all_{name}" for name in _NAMES)
    statement = _FILL.format(
        names=", ".join(_NAMES),
        seen=SEEN,
        filtered=", ".join(
            f"arrayFilter((name, first) -> first, all_{name}, firsts) AS first_{name}"
            for name in _NAMES
        ),
        joined=", ".join(f"first_{name} AS {name}" for name in _NAMES),
        firsts=BEGUN.format(passed=passed, who=WHO, moments=in_order),
    )
    whole = Span(days[0].first, days[-1].last)
    await store.execute(statement, {**hits.days(site, whole), "version": version})


async def record(
    store: Store, site: str, digests: Mapping[int, int], versions: Mapping[int, int]
) -> None:
    """Record for which days visits are precomputed, with the digests of their hits."""
    days = list(digests)
    await store.insert(
        "ended_days",
        {
            "site": [site] * len(days),
            "day": days,
            "version": [versions[day] for day in days],
            "digest": [digests[day] for day in days],
        },
    )


async def clear(store: Store, site: str, before: int) -> None:
    """Delete what is no longer read: versions before one that are not the newest of a day."""
    parameters = {"site": site, "before": before}
    for table in _TABLES:
        rows = await store.execute(_OLD.format(table=table), parameters)
        old: Collection[int] = [row[0] for row in rows]
        if old:
            clear = _CLEAR.format(table=table)
            await store.execute_ddl(clear, {"site": site, "versions": old})
