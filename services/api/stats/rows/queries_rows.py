"""The statement for all rows of a panel: over all sites and both periods, summed by name."""

from collections.abc import Sequence
from typing import Any

from services.api.stats.grammar.filters import OF_PATHS
from services.api.stats.grammar.measures import Counts
from services.api.stats.rows.question import NAME, ROOT, RowsQuery
from services.api.stats.rows.search import pattern_of
from services.api.stats.rows.sources import RowsSource
from services.model.page_aliases import PageAlias
from services.store.counts.page_aliases import page_column
from services.store.interface import Store
from services.store.records import titles

_ROWS = """
SELECT shown, {sums}
FROM (
    SELECT {name} AS shown, {columns}
    FROM ({sources})
)
GROUP BY shown
HAVING {having}
ORDER BY {order}shown {rising}
LIMIT %(skip)s, %(limit)s
"""
_COUNTED = ("pageviews", "visits", "visitors")
# Of the period, and of the days to compare with.
_NOW = tuple(f"now_{name}" for name in _COUNTED)
_WAS = tuple(f"was_{name}" for name in _COUNTED)


async def read(
    store: Store,
    rows: RowsQuery,
    now: Sequence[RowsSource],
    before: Sequence[RowsSource],
    aliases: Sequence[PageAlias],
) -> list[tuple[str, Counts, Counts]]:
    """Return the rows of a page, and one more if any, each with the counts of both periods.

    now, before  a statement per site; `before` is empty when nothing is compared
    """
    parameters: dict[str, Any] = {
        "skip": (rows.page - 1) * rows.limit,
        "limit": rows.limit + 1,
        "unknown": rows.unknown,
    }
    name = "if(name = '', %(unknown)s, name)"
    if aliases and rows.by in OF_PATHS and rows.section is None:
        page, of_aliases = page_column(aliases, "name")
        name, parameters = page, parameters | of_aliases
    statements: list[str] = []
    for number, (source, is_now) in enumerate(
        [*((one, True) for one in now), *((one, False) for one in before)]
    ):
        statement, of_source = _renamed(source, f"source_{number}_")
        parameters |= of_source
        counted = [f"toInt64({one})" for one in _COUNTED]
        nothing = ["toInt64(0)"] * len(_COUNTED)
        values = [*counted, *nothing] if is_now else [*nothing, *counted]
        columns = ", ".join(
            f"{value} AS {column}" for value, column in zip(values, (*_NOW, *_WAS), strict=True)
        )
        statements.append(f"SELECT name, {columns} FROM ({statement})")  # noqa: S608
    having = " + ".join(f"sum({one})" for one in _NOW) + " > 0"
    if rows.search:
        parameters["search"] = pattern_of(rows.search)
        found_by = ["match(shown, %(search)s)"]
        if rows.also:
            parameters["also"] = list(rows.also)
            found_by.append("shown IN %(also)s")
        if rows.titled:
            titled, of_titles = titles.matching(rows.titled)
            parameters |= of_titles
            found_by.append(f"shown IN ({titled})")
        having += f" AND ({' OR '.join(found_by)})"
    direction = "ASC" if rows.rising else "DESC"
    statement = _ROWS.format(
        name=name,
        sums=", ".join(f"sum({one})" for one in (*_NOW, *_WAS)),
        columns=", ".join((*_NOW, *_WAS)),
        sources=" UNION ALL ".join(statements),
        having=having,
        order="" if rows.sort == NAME else f"sum(now_{rows.column}) {direction}, ",
        rising=direction if rows.sort == NAME else "ASC",
    )
    result = await store.execute(statement, parameters)
    size = len(_COUNTED)
    return [(row[0], Counts(*row[1 : 1 + size]), Counts(*row[1 + size :])) for row in result]


async def found_titles(store: Store, rows: RowsQuery) -> frozenset[str]:
    """Return the paths of the pages whose title contains the search words."""
    if not (rows.search and rows.titled):
        return frozenset()
    statement, parameters = titles.matching(rows.titled)
    result = await store.execute(statement, {**parameters, "search": pattern_of(rows.search)})
    return frozenset(path for (path,) in result)


def section_column(
    section: str, aliases: Sequence[PageAlias]
) -> tuple[str, str, dict[str, object]]:
    """Return the expression for a path's section, the condition for paths below, and parameters."""
    page, parameters = page_column(aliases)
    parameters["section"] = section
    rest = f"substring({page}, length(%(section)s) + 1)"
    folder = f"concat(%(section)s, substring({rest}, 1, position({rest}, '/')), '*')"
    is_below = f"startsWith({page}, %(section)s)"
    column = f"if({is_below} AND position({rest}, '/') > 0, {folder}, {page})"
    # What is not a path, such as (other), is listed with those below the root.
    return column, "" if section == ROOT else f" WHERE {is_below}", parameters


def _renamed(source: RowsSource, prefix: str) -> tuple[str, dict[str, Any]]:
    statement = source.statement
    for name in source.parameters:
        statement = statement.replace(f"%({name})s", f"%({prefix}{name})s")
    return statement, {f"{prefix}{name}": value for name, value in source.parameters.items()}
