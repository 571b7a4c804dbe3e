"""The statements that find views to take back, and mark them.

Each selects what matches the query's filters (`match`), among views that no correction takes.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from services.api.sites.corrections.query import CorrectionQuery
from services.api.sites.corrections.recount import KEPT, SeenView
from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.spans import Span
from services.api.stats.queries import hits
from services.api.stats.queries.columns import fitting
from services.model.calendar import to_day
from services.store.counts.corrections import Correction, is_taken
from services.store.interface import Store

_BY_PAGE = """
SELECT day, path, count(), countIf(visit = 1), countIf(visitor = 0)
FROM ({hits})
GROUP BY day, path
LIMIT %(most)s
"""

_OF_MANY = """cityHash64(day, visitor) IN (
    SELECT cityHash64(day, visitor)
    FROM ({hits})
    GROUP BY day, visitor
    HAVING count() > %(more_than)s
)"""

# Visitors whose views are all taken back need no recount: their visits go with them.
_IN_PART = """cityHash64(day, visitor) IN (
    SELECT cityHash64(day, visitor)
    FROM ({hits})
    GROUP BY day, visitor
    HAVING sum(changed) > 0 AND sum(changed) < count()
)"""

_VIEWS = """
SELECT day, visitor, position, idx, path, at, visit, until, changed
FROM ({hits})
ORDER BY day, visitor, position, idx
"""

_VISITORS = """
SELECT day, toUInt64(uniqCombined(visitor)), toUInt64(uniqCombinedIf(visitor, away = 0))
FROM ({hits})
GROUP BY day
"""

_MARK = """
INSERT INTO corrected_hits (site, day, position, idx, run)
SELECT %(site)s, day, position, idx, %(run)s
FROM ({hits})
"""

_MARKED = """
SELECT count()
FROM (
    SELECT position, idx
    FROM corrected_hits
    WHERE site = %(site)s AND run = %(run)s
    GROUP BY position, idx
)
"""


class PageChange(NamedTuple):
    """Views of a page on a day; those of them that began a visit, and those without a visitor."""

    day: int
    path: str
    views: int
    begun: int
    unknown: int


class Selection(NamedTuple):
    """Views that a run changes.

    coverage    the existing raw hits, including those that any run takes back
    others      the runs in force that stay in force
    condition   that selects the views that change
    parameters  of all of it
    """

    coverage: Coverage
    others: Sequence[Correction]
    condition: str
    parameters: Mapping[str, Any]

    def hits(self, columns: Sequence[str], condition: str) -> str:
        """Return the statement that reads views of people, including those taken back."""
        return hits.source(self.coverage, columns, f" AND bot = 0{condition}")


def matching(
    site: str,
    span: Span,
    coverage: Coverage,
    active: Sequence[Correction],
    query: CorrectionQuery,
    until: int,
) -> Selection:
    """Return the views that a query finds in batches before a position and no run takes yet."""
    fits, values = fitting(query.filters)
    bounds = {
        "since": query.since,
        "until": query.until,
        "end": until,
        "more_than": query.more_than,
    }
    condition = f"at >= %(since)s AND at < %(until)s AND position < %(end)s AND {fits}"
    others = [row for row in active if row.touches(*span)]
    if others:
        condition += f" AND {is_taken([row.run for row in others], within=False)}"
    bare = coverage._replace(taken=(), moved=())
    if query.more_than:
        condition += " AND visitor != 0"
        source = hits.source(bare, ["day", "visitor"], f" AND bot = 0 AND {condition}")
        condition += f" AND {_OF_MANY.format(hits=source)}"
    return Selection(bare, others, condition, hits.days(site, span) | values | bounds)


def marked(
    site: str, span: Span, coverage: Coverage, active: Sequence[Correction], row: Correction
) -> Selection:
    """Return the views that a correction takes."""
    others = [other for other in active if other.run != row.run and other.touches(*span)]
    bare = coverage._replace(taken=(), moved=())
    return Selection(bare, others, is_taken([row.run]), hits.days(site, span))


async def by_page(store: Store, of: Selection, most: int) -> list[PageChange]:
    """Return how many views change, by day and page; at most `most` rows."""
    source = of.hits(["day", "path", "visit", "visitor"], f" AND {of.condition}")
    rows = await store.execute(_BY_PAGE.format(hits=source), {**of.parameters, "most": most})
    return [PageChange(to_day(day), *rest) for day, *rest in rows]


async def views_in_part(store: Store, of: Selection) -> AsyncGenerator[list[SeenView], None]:
    """Return all views of the visitors for whom some views change and others do not."""
    undone = [row.run for row in of.others if row.undoes_import]
    known = " AND visitor != 0"
    if undone:
        # As if they had never existed: views that continued them do not begin a visit instead.
        known += f" AND {is_taken(undone, within=False)}"
    changed = _column(of.condition, "changed")
    concerned = _IN_PART.format(hits=of.hits(["day", "visitor", changed], known))
    until = [f"toUInt64({is_taken([row.run])}) * toUInt64({row.until:d})" for row in of.others] or [
        f"toUInt64({KEPT})"
    ]
    columns = ["day", "visitor", "position", "idx", "path", "at", "visit"]
    taken = _column(" + ".join(until), "until")
    source = of.hits([*columns, taken, changed], f"{known} AND {concerned}")
    async with aclosing(store.stream(_VIEWS.format(hits=source), of.parameters)) as blocks:
        async for block in blocks:
            yield [SeenView(to_day(row[0]), *row[1:]) for row in block]


async def visitors(store: Store, of: Selection, *, gives_back: bool) -> dict[int, tuple[int, int]]:
    """Return the visitors of each day: over all views, and over those left after the run."""
    away = [is_taken([row.run for row in of.others])] if of.others else []
    if not gives_back:
        away.append(f"({of.condition})")
    columns = ["day", "visitor", _column(" OR ".join(away) or "0", "away")]
    statement = _VISITORS.format(hits=of.hits(columns, " AND visitor != 0"))
    rows = await store.execute(statement, of.parameters)
    return {to_day(day): (every, left) for day, every, left in rows}


async def mark(store: Store, of: Selection, site: str, run: str) -> int:
    """Mark the views as those of a run; return how many are marked."""
    source = of.hits(["day", "position", "idx"], f" AND {of.condition}")
    await store.execute(_MARK.format(hits=source), {**of.parameters, "run": run})
    ((count,),) = await store.execute(_MARKED, {"site": site, "run": run})
    return int(count)


def _column(expression: str, name: str) -> str:
    # ClickHouse 18.16 considers an expression constant in one part of a union, and fails.
    return f"materialize({expression}) AS {name}"
