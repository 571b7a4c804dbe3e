"""What is erased of a store: everything of a name, in every table, and nothing of any other."""

from collections.abc import Mapping

import pytest

from services.aggregator import erasing
from services.model.downloads import downloads_of
from services.model.kept_apart import all_names
from services.store.counts import counters, drift, erasures
from services.store.counts.erasures import Erasure, ErasureState
from services.store.drivers import column_types
from services.store.interface import Store

NOT_OF_A_NAME = {"old_hits", "audit", "shown_sites", "traffic_by_day", "traffic_hits"}
"""They store nothing, but the audit log, which tells what was done, also of sites that are gone."""
DAY = 20_254
NAMES = (*all_names(["mytho"]), "mytho~1", "mythos", "cantho")
_VALUES = {
    "site": "",
    "day": DAY,
    "start": DAY,
    "first": DAY,
    "last": DAY,
    "grain": "day",
    "bot": 0,
}


async def write_everywhere(store: Store, names: tuple[str, ...] = NAMES) -> None:
    """Write a row of each name into every table; that of visitors is fed by the raw hits."""
    ((state,),) = await store.execute(
        "SELECT hex(CAST(uniqCombinedState(number) AS String)) FROM numbers(3)"
    )
    for table in erasures.TABLES:
        if table == "daily_visitors":
            continue
        columns = {name for name, *_ in await store.execute(f"DESCRIBE TABLE {table}")}
        kinds = {name: kind for name, kind, *_ in await store.execute(f"DESCRIBE TABLE {table}")}
        rows: dict[str, list[object]] = {"site": list(names)}
        for column in columns - {"site"}:
            value = _VALUES.get(column, "a" if "String" in kinds[column] else 1)
            if kinds[column] == column_types.VISITORS:
                value = bytes.fromhex(state)
            rows[column] = [value] * len(names)
        await store.insert(table, rows)


async def sites_in(store: Store, table: str) -> set[str]:
    return {site for (site,) in await store.execute(f"SELECT DISTINCT site FROM {table}")}


async def begin(store: Store, state: ErasureState = ErasureState.TAKEN) -> None:
    await erasures.write(store, [Erasure("mytho", "mytho", state, "an admin", 1)])


async def states(store: Store) -> dict[str, int]:
    return {one.name: one.state for one in await erasures.load(store)}


async def test_every_table_of_a_site_is_among_those_that_are_cleared(store: Store) -> None:
    found = await store.execute(
        "SELECT DISTINCT table FROM system.columns"
        " WHERE database = currentDatabase() AND name = 'site'"
    )
    names = {store.shown(table) for (table,) in found}
    tables = {name for name in names if not name.startswith((".", "daily_visitors_of_"))}
    assert tables - NOT_OF_A_NAME == set(erasures.TABLES)


async def test_nothing_of_a_name_is_left_and_everything_of_others(store: Store) -> None:
    await write_everywhere(store)
    await begin(store)
    await erasing.delete(store, late=False)
    for table in erasures.TABLES:
        assert await sites_in(store, table) == {"mytho~1", "mythos", "cantho"}, table
    assert await states(store) == {"mytho": ErasureState.DONE}
    kept = await erasures.kept(store, ["mytho"])
    assert set(kept) == {0}


async def test_how_far_counters_reached_is_known_after_they_are_deleted(store: Store) -> None:
    rows: dict[str, list[object]] = {"grain": ["total"], "start": [0], "path": [""]}
    rows |= {"views": [1], "visits": [1]}
    for name, position in (("mytho", 70), ("cantho", 30)):
        await store.insert("counters", {**rows, "site": [name], "position": [position]})
    await begin(store)
    before = await counters.positions(store)
    await erasing.delete(store, late=False)
    assert await counters.positions(store) == before == {"mytho": 70, "cantho": 30}
    # Later ones as well, and a kill before anything is deleted changes nothing.
    await store.insert("counters", {**rows, "site": ["mytho"], "position": [90]})
    await erasing.delete(store, late=True)
    assert await sites_in(store, "counters") == {"cantho"}
    assert (await counters.positions(store))["mytho"] == 90
    await begin(store)
    assert (await counters.positions(store))["mytho"] == 90
    assert await states(store) == {"mytho": ErasureState.DONE}


async def test_counters_that_come_while_others_are_deleted_are_known_as_well(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: dict[str, list[object]] = {"grain": ["total"], "start": [0], "path": [""]}
    rows |= {"site": ["mytho"], "views": [1], "visits": [1]}
    await store.insert("counters", {**rows, "position": [70]})
    execute, late = store.execute_ddl, [90]

    async def meanwhile(sql: str, parameters: Mapping[str, object] | None = None) -> None:
        if "counters" in sql and late:
            await store.insert("counters", {**rows, "position": [late.pop()]})
        await execute(sql, parameters)

    monkeypatch.setattr(store, "execute_ddl", meanwhile)
    await begin(store)
    await erasing.delete(store, late=False)
    assert await sites_in(store, "counters") == set()
    assert await counters.positions(store) == {"mytho": 90}


async def test_how_far_downloads_reached_is_known_by_their_own_name(store: Store) -> None:
    rows: dict[str, list[object]] = {"grain": ["total"] * 2, "start": [0] * 2, "path": [""] * 2}
    names = ["mytho", downloads_of("mytho")]
    counts = {"views": [1, 1], "visits": [1, 1], "position": [70, 90]}
    await store.insert("counters", {**rows, **counts, "site": names})
    await begin(store)
    before = await counters.positions(store)
    await erasing.delete(store, late=False)
    assert await counters.positions(store) == before == dict(zip(names, (70, 90), strict=True))
    assert await states(store) == {"mytho": ErasureState.DONE}


async def test_a_site_that_is_half_deleted_is_no_difference(store: Store) -> None:
    rows: dict[str, list[object]] = {"grain": ["total"], "start": [0], "path": [""]}
    for name in ("mytho", "cantho"):
        counts = {"views": [1], "visits": [1], "position": [1]}
        await store.insert("counters", {**rows, **counts, "site": [name]})
    named = {row.site for row in await drift.periods(store)}
    assert named == {"mytho", "cantho"}
    await begin(store)
    assert {row.site for row in await drift.periods(store)} == {"cantho"}


async def test_nothing_goes_before_the_site_was_taken_away(store: Store) -> None:
    await write_everywhere(store)
    await begin(store, ErasureState.BEGUN)
    await erasing.delete(store, late=True)
    assert "mytho" in await sites_in(store, "hits")
    assert await states(store) == {"mytho": ErasureState.BEGUN}


async def test_what_comes_late_goes_as_well(store: Store) -> None:
    await begin(store, ErasureState.DONE)
    await write_everywhere(store, (*all_names(["mytho"])[1:], "cantho"))
    await erasing.delete(store, late=False)
    assert downloads_of("mytho") in await sites_in(store, "hits")
    await erasing.delete(store, late=True)
    for table in erasures.TABLES:
        assert await sites_in(store, table) == {"cantho"}, table


async def test_an_erasure_never_goes_back(store: Store) -> None:
    await begin(store, ErasureState.DONE)
    await begin(store, ErasureState.BEGUN)
    assert await states(store) == {"mytho": ErasureState.DONE}


async def test_what_is_kept_is_told_with_the_downloads(store: Store) -> None:
    await write_everywhere(store)
    rows: dict[str, list[object]] = {
        "site": ["mytho"],
        "grain": ["total"],
        "start": [0],
        "path": [""],
        "position": [2],
    }
    await store.insert("counters", {**rows, "views": [7], "visits": [3]})
    kept = await erasures.kept(store, ["mytho"])
    assert (kept.views, kept.visits) == (7, 3)
    assert kept.hits == len(all_names(["mytho"])) == 5
    assert (kept.balances, kept.corrections, kept.imports) == (1, 1, 1)
