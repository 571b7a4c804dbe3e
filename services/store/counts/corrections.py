"""The ledger of corrections: what people have taken back; append-only.

A run is one correction or one reversal. Its entries and its hits are written first, its row in the
table `corrections` last; what has no row there does not count.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.model.calendar import to_date, to_day
from services.model.site import Metric
from services.store.interface import Store

WHOLE_SITE = ""
IMPORT = "import:"
"""Prefix of the ids of runs that take back an import, and of no others."""


class Correction(NamedTuple):
    """One row of the ledger: a correction, or the reversal of one.

    run       the id of its entries and hits
    reverses  the id of the correction that it takes back, '' for a correction
    first     first day that it touches, in days since 1970-01-01; so is `last`
    until     position after the last batch that it considered
    views     taken away, negative for a reversal; so are `visits` and `visitors`
    query     JSON
    at        milliseconds since 1970
    """

    id: str
    run: str
    reverses: str
    first: int
    last: int
    until: int
    views: int
    visits: int
    visitors: int
    query: str
    author: str
    at: int
    reason: str

    @property
    def undoes_import(self) -> bool:
        """Whether it takes back an import: its views are as if they had never been counted."""
        return self.id.startswith(IMPORT)

    def touches(self, first: int, last: int) -> bool:
        """Tell whether it took anything on one of these days."""
        return self.first <= last and first <= self.last


class Taken(NamedTuple):
    """What is taken away from a page or a site on some day."""

    views: int = 0
    visits: int = 0
    visitors: int = 0

    def plus(self, other: "Taken") -> "Taken":
        """Return the sum of both."""
        return Taken(
            self.views + other.views, self.visits + other.visits, self.visitors + other.visitors
        )

    def of(self, metric: Metric) -> int:
        """Return what is taken in one measure."""
        taken: int = getattr(self, metric)
        return taken

    def negated(self) -> "Taken":
        """Return the inverse, which gives the same back."""
        return Taken(-self.views, -self.visits, -self.visitors)


Entries = Mapping[tuple[str, int], Taken]
"""Path, '' for the whole site, and day in days since 1970-01-01 → what is taken there."""
Moved = tuple[int, int, int, int]
"""A view whose part in a visit changes: its day, position and index, and 1 or -1."""

_COLUMNS = ", ".join(name for name in Correction._fields if name != "id")
_LEDGER = f"""
SELECT id, {_COLUMNS}
FROM corrections FINAL
WHERE site = %(site)s
ORDER BY at, id
"""  # noqa: S608  # names of ours

# An entry that was inserted twice, after a lost connection, counts once.
_SUMS = """
SELECT site, path, day, sum(once_views), sum(once_visits), sum(once_visitors)
FROM (
    SELECT site, path, day, run, any(views) AS once_views, any(visits) AS once_visits,
        any(visitors) AS once_visitors
    FROM correction_entries
    WHERE site IN %(sites)s {narrowed}
        AND run IN (SELECT run FROM corrections WHERE site IN %(sites)s)
    GROUP BY site, path, day, run
)
GROUP BY site, path, day
"""
_OF_PATHS = _SUMS.format(narrowed="AND path IN %(paths)s")
_OF_RUN = """
SELECT path, day, any(views), any(visits), any(visitors)
FROM correction_entries
WHERE site = %(site)s AND run = %(run)s
GROUP BY path, day
"""
_OF_SITE = """
SELECT day, sum(once_views), sum(once_visits), sum(once_visitors)
FROM (
    SELECT day, run, any(views) AS once_views, any(visits) AS once_visits,
        any(visitors) AS once_visitors
    FROM correction_entries
    WHERE site = %(site)s AND path = '' AND day >= %(first)s AND day <= %(last)s
        AND run IN %(runs)s
    GROUP BY day, run
)
GROUP BY day
"""

_OF_PAGES = """
SELECT path, sum(once_views), sum(once_visits), sum(once_visitors)
FROM (
    SELECT path, run, any(views) AS once_views, any(visits) AS once_visits,
        any(visitors) AS once_visitors
    FROM correction_entries
    WHERE site = %(site)s AND day = %(day)s AND run IN %(runs)s
    GROUP BY path, run
)
GROUP BY path
"""

HIT = "cityHash64(position, idx)"
"""A 64-bit key of a hit within its site: a set of millions of them is built in a second, and one
of tuples takes ten times as long."""

# %(site)s, %(first)s and %(last)s are parameters of every statement about hits of some days.
_IS_TAKEN = f"""{HIT} {{of}} (
    SELECT {HIT}
    FROM corrected_hits
    WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND run IN ({{runs}})
)"""  # noqa: S608  # an expression of ours

_IN_FORCE = """
SELECT DISTINCT run
FROM corrections
WHERE site = %(site)s AND reverses = '' AND first <= %(last)s AND last >= %(first)s
    AND id NOT IN (SELECT reverses FROM corrections WHERE site = %(site)s)
"""


def is_taken(runs: Sequence[str], *, within: bool = True) -> str:
    """Return the condition for hits that one of these runs takes, or for those that none does."""
    return _IS_TAKEN.format(of="IN" if within else "NOT IN", runs=quoted(runs))


def quoted(runs: Sequence[str]) -> str:
    """Return runs as literals; each is a hexadecimal number generated here."""
    return ", ".join(f"'{run}'" for run in runs)


async def left(store: Store, parameters: Mapping[str, object]) -> str:
    """Return a condition that excludes hits of `site`, `first` to `last`, that are taken.

    Raises StoreError.
    """
    runs = await in_force(store, parameters)
    return f"AND {is_taken(runs, within=False)}" if runs else ""


async def in_force(store: Store, parameters: Mapping[str, object]) -> list[str]:
    """Return the runs that take hits of `site`, `first` to `last`. Raises StoreError."""
    return [run for (run,) in await store.execute(_IN_FORCE, parameters)]


async def ledger(store: Store, site: str) -> list[Correction]:
    """Return every correction and reversal of a site, oldest first. Raises StoreError."""
    rows = await store.execute(_LEDGER, {"site": site})
    return [
        Correction(name, run, reverses, to_day(first), to_day(last), *rest)
        for name, run, reverses, first, last, *rest in rows
    ]


def active(rows: Iterable[Correction]) -> list[Correction]:
    """Return the corrections of a ledger that were not reversed, in its order."""
    rows = list(rows)
    reversed_ids = {row.reverses for row in rows if row.reverses}
    return [row for row in rows if not row.reverses and row.id not in reversed_ids]


async def taken(
    store: Store, sites: Collection[str], paths: Collection[str] = (WHOLE_SITE,)
) -> dict[tuple[str, str], dict[int, Taken]]:
    """Return what is taken, by site and path, then by day. Raises StoreError."""
    sums: dict[tuple[str, str], dict[int, Taken]] = {}
    if sites and paths:
        parameters = {"sites": sorted(sites), "paths": sorted(paths)}
        for site, path, day, *counts in await store.execute(_OF_PATHS, parameters):
            sums.setdefault((site, path), {})[to_day(day)] = Taken(*counts)
    return sums


async def entries(store: Store, site: str, run: str) -> dict[tuple[str, int], Taken]:
    """Return the entries of one run. Raises StoreError."""
    rows = await store.execute(_OF_RUN, {"site": site, "run": run})
    return {(path, to_day(day)): Taken(*counts) for path, day, *counts in rows}


async def of_days(
    store: Store, site: str, runs: Collection[str], days: tuple[int, int]
) -> dict[int, Taken]:
    """Return what some runs take of a site, by day, from days[0] to days[1]. Raises StoreError."""
    if not runs:
        return {}
    first, last = map(to_date, days)
    parameters = {"site": site, "runs": sorted(runs), "first": first, "last": last}
    rows = await store.execute(_OF_SITE, parameters)
    return {to_day(day): Taken(*counts) for day, *counts in rows}


async def of_pages(store: Store, site: str, runs: Collection[str], day: int) -> dict[str, Taken]:
    """Return what some runs take on a day, by path. Raises StoreError."""
    parameters = {"site": site, "runs": sorted(runs), "day": to_date(day)}
    rows = await store.execute(_OF_PAGES, parameters)
    return {path: Taken(*counts) for path, *counts in rows}


async def write_entries(store: Store, site: str, run: str, of_run: Entries) -> None:
    """Write the entries of a run; they count once its row is written. Raises StoreError."""
    if not of_run:
        return
    keys, amounts = list(of_run), list(of_run.values())
    await store.insert(
        "correction_entries",
        {
            "site": [site] * len(keys),
            "path": [path for path, _ in keys],
            "day": [day for _, day in keys],
            "run": [run] * len(keys),
            "views": [amount.views for amount in amounts],
            "visits": [amount.visits for amount in amounts],
            "visitors": [amount.visitors for amount in amounts],
        },
    )


async def write_moved(store: Store, site: str, run: str, moved: Sequence[Moved]) -> None:
    """Write which views now begin a visit, or no longer do. Raises StoreError."""
    if not moved:
        return
    day, position, idx, begins = map(list, zip(*moved, strict=True))
    size = len(day)
    await store.insert(
        "moved_visits",
        {
            "site": [site] * size,
            "day": day,
            "position": position,
            "idx": idx,
            "run": [run] * size,
            "begins": begins,
        },
    )


async def add(store: Store, site: str, row: Correction) -> None:
    """Write a row of the ledger: from now on it counts. Raises StoreError."""
    columns: dict[str, list[object]] = {name: [value] for name, value in row._asdict().items()}
    await store.insert("corrections", {"site": [site], **columns})
