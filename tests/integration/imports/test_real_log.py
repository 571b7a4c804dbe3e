"""A real access log, imported, gives what counting it by hand gives, whatever is killed."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from services.store.open import open_store
from tests.integration.access_log import REAL, real_lines
from tests.integration.imports import world
from tests.integration.imports.world import Books
from tests.require import missing
from tests.servers.system import System

ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture(scope="module")
def books() -> Books:
    if not REAL.exists():
        missing(f"{REAL.name} (real input beside the project)")
    counted = world.count(real_lines(), ZONE)
    assert counted.total > 1000
    return counted


async def held(luot: System, site: str) -> Books:
    """Return what the store holds of a site, row by row."""
    store = open_store(luot.clickhouse.url)
    try:
        rows = await store.execute(
            "SELECT toString(grain), if(grain = 'total', '', toString(start)), path,"
            " argMax(views, position), argMax(visits, position)"
            " FROM counters WHERE site = %(site)s"
            " GROUP BY grain, start, path",
            {"site": site},
        )
        by_day = await store.execute(
            "SELECT toString(day), uniqCombinedMerge(visitors) FROM visitors"
            " WHERE site = %(site)s GROUP BY day",
            {"site": site},
        )
    finally:
        await store.close()
    return Books(
        Counter({(grain, start, path): views for grain, start, path, views, _ in rows}),
        Counter({(grain, start, path): visits for grain, start, path, _, visits in rows}),
        dict(by_day),
    )


def same(found: Books, expected: Books) -> None:
    assert found.views == expected.views
    assert found.visits == expected.visits
    assert found.visitors == expected.visitors


async def test_the_counters_equal_a_recount_of_the_file_and_do_so_the_second_time(
    luot: System, books: Books, tmp_path: Path
) -> None:
    luot.add_site("once")
    (first,) = world.imported(luot.api, REAL, "--site", "once")
    assert (first["begun"], first["pages"], first["sent"]) == ("new", books.total, books.total)
    assert first["visits"] == books.visits["total", "", ""]
    same(await held(luot, "once"), books)

    unpacked = tmp_path / "another name"
    unpacked.write_text("\n".join(real_lines()) + "\n")
    for file in (REAL, unpacked):
        (again,) = world.imported(luot.api, file, "--site", "once")
        assert (again["begun"], again["sent"]) == ("done", 0)
    same(await held(luot, "once"), books)
    assert luot.counter_when("once", total=books.total, metric="views")["since"] == "2015-05-17"


async def test_killed_at_random_points_and_resumed_it_is_the_same(
    luot: System, books: Books, record_seed: Callable[[], int]
) -> None:
    chance = random.Random(record_seed())
    luot.add_site("killed")
    killed = 0
    for part in sorted(chance.uniform(0.05, 0.9) for _ in range(3)):
        killed += world.kill_at(
            luot.api, "killed", int(books.total * part), REAL, "--site", "killed"
        )
        if chance.random() < 0.5:
            luot.api.kill()
            luot.api.start()
    assert killed
    world.imported(luot.api, REAL, "--site", "killed")
    same(await held(luot, "killed"), books)


async def test_cut_into_files_given_in_any_order_it_is_the_same(
    luot: System, books: Books, tmp_path: Path
) -> None:
    luot.add_site("cut")
    lines = real_lines()
    parts = []
    for number, start in enumerate(range(0, len(lines), 2300)):
        part = tmp_path / f"access.log.{9 - number}"
        part.write_text("\n".join(lines[start : start + 2300]) + "\n")
        parts.append(part)
    world.imported(luot.api, *parts[:2], "--site", "cut")
    files = world.imported(luot.api, *parts[::-1], "--site", "cut")
    assert [file["begun"] for file in files] == ["done", "done", "new", "new", "new"]
    same(await held(luot, "cut"), books)
