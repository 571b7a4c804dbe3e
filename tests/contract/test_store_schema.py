"""Migrations, and what is fixed when a store is made."""

import asyncio
from collections.abc import Callable

import pytest

from services.store.counts import hits
from services.store.interface import Store, StoreError
from services.store.migrations import (
    Migration,
    SchemaError,
    fix_partitions,
    migrate,
    migrations,
)
from tests.contract.conftest import empty, merge
from tests.contract.test_store_tables import DAY, POSITION, VISITORS, columns

TABLES = [
    "alert_events",
    "alert_rules",
    "annotations",
    "audit",
    "corrected_hits",
    "correction_entries",
    "corrections",
    "counters",
    "daily_visitors",
    "daily_visitors_of_hits",
    "daily_visitors_of_old_hits",
    "ended_days",
    "ended_pages",
    "ended_visits",
    "erasures",
    "hits",
    "import_counts",
    "imports",
    "kept_sites",
    "meta",
    "migrations",
    "moved_visits",
    "old_hits",
    "opening_balances",
    "peak_resets",
    "peaks",
    "report_schedules",
    "report_sendings",
    "returned_views",
    "share_links",
    "shown_sites",
    "site_groups",
    "sites",
    "title_plans",
    "title_runs",
    "titles",
    "tokens",
    "traffic_by_day",
    "traffic_hits",
    "users",
    "visitors",
]


@pytest.fixture
async def empty_store(opened_store: Store) -> Store:
    """A store in which nothing was ever made."""
    await empty(opened_store)
    return opened_store


async def test_a_new_store_gets_every_table(empty_store: Store) -> None:
    assert await migrate(empty_store) == [migration.name for migration in migrations()]
    tables = await empty_store.execute("SHOW TABLES")
    assert sorted(name for (name,) in tables if not name.startswith(".")) == TABLES


async def test_migrating_again_applies_nothing(empty_store: Store) -> None:
    await migrate(empty_store)
    await empty_store.insert("meta", {"name": ["a"], "version": [1], "value": ["kept"]})
    assert await migrate(empty_store) == []
    assert await empty_store.execute("SELECT value FROM meta") == [("kept",)]


async def test_migrations_are_applied_in_order_and_only_the_missing_ones(
    empty_store: Store,
) -> None:
    table = "CREATE TABLE first (a UInt8) ENGINE = MergeTree() ORDER BY a"
    first = Migration(1, "001_first.sql", (table,))
    second = Migration(2, "002_second.sql", ("ALTER TABLE first ADD COLUMN b UInt8",))
    assert await migrate(empty_store, [first]) == ["001_first.sql"]
    assert await migrate(empty_store, [first, second]) == ["002_second.sql"]
    assert [row[0] for row in await empty_store.execute("DESCRIBE TABLE first")] == ["a", "b"]


async def test_a_migration_that_failed_half_way_is_finished_by_the_next_run(
    empty_store: Store,
) -> None:
    table = "CREATE TABLE IF NOT EXISTS half (a UInt8) ENGINE = MergeTree() ORDER BY a"
    with pytest.raises(StoreError):
        await migrate(empty_store, [Migration(1, "001_half.sql", (table, "SELEC 1"))])
    whole = Migration(1, "001_half.sql", (table, "INSERT INTO half SELECT 1"))
    assert await migrate(empty_store, [whole]) == ["001_half.sql"]
    assert await empty_store.execute("SELECT a FROM half") == [(1,)]


async def test_a_column_that_is_there_is_not_added_again(empty_store: Store) -> None:
    table = "CREATE TABLE IF NOT EXISTS wide (a UInt8) ENGINE = MergeTree() ORDER BY a"
    column = "ALTER TABLE wide ADD COLUMN IF NOT EXISTS b String"
    with pytest.raises(StoreError):
        await migrate(empty_store, [Migration(1, "001_wide.sql", (table, column, "SELEC 1"))])
    whole = Migration(1, "001_wide.sql", (table, column))
    assert await migrate(empty_store, [whole]) == ["001_wide.sql"]
    assert [row[0] for row in await empty_store.execute("DESCRIBE TABLE wide")] == ["a", "b"]


async def test_visitors_counted_by_an_earlier_version_are_still_counted(empty_store: Store) -> None:
    await migrate(empty_store, migrations()[:20])
    await hits.write(empty_store, columns(3, visitor=[1, 2, 2]))
    await hits.count_visitors(
        empty_store, {"site": ["mytho"], "day": [DAY], "visitor": [3], "bot": [0]}
    )
    await migrate(empty_store)
    assert await empty_store.execute(VISITORS) == [(DAY, 3)]
    await hits.write(empty_store, columns(2, position=[POSITION + 1] * 2, visitor=[2, 4]))
    assert await empty_store.execute(VISITORS) == [(DAY, 4)]
    # What services of the version before read is still there, and no longer fed.
    before = VISITORS.replace("daily_visitors", "visitors")
    assert await empty_store.execute(before) == [(DAY, 3)]


async def test_several_processes_may_migrate_at_once(
    empty_store: Store, open_another: Callable[[], Store]
) -> None:
    others = [open_another() for _ in range(3)]
    try:
        await asyncio.gather(*(migrate(store) for store in (empty_store, *others)))
    finally:
        for store in others:
            await store.close()
    assert await migrate(empty_store) == []


async def test_a_newer_schema_is_refused_and_left_alone(empty_store: Store) -> None:
    await migrate(empty_store)
    await empty_store.insert("migrations", {"number": [999], "name": ["999_from_the_future.sql"]})
    with pytest.raises(SchemaError, match=r"newer Luot \(999_from_the_future.sql\)"):
        await migrate(empty_store)


async def test_the_first_number_of_partitions_is_kept(store: Store) -> None:
    await fix_partitions(store, 8)
    await fix_partitions(store, 8)
    with pytest.raises(SchemaError, match=r"LUOT_PARTITIONS=16.*made for 8 partitions"):
        await fix_partitions(store, 16)
    await merge(store, "meta")
    await fix_partitions(store, 8)


async def test_two_that_fix_different_partitions_at_once_never_both_go_on(store: Store) -> None:
    assert "SchemaError" in await asyncio.gather(_outcome(store, 4), _outcome(store, 8))
    again = [await _outcome(store, partitions) for partitions in (4, 8)]
    assert sorted(again) == ["SchemaError", "kept"]


async def _outcome(store: Store, partitions: int) -> str:
    try:
        await fix_partitions(store, partitions)
    except SchemaError:
        return "SchemaError"
    return "kept"
