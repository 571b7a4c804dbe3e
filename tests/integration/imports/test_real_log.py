"""An access log, imported, gives what counting it by hand gives, whatever is killed."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from services.store.open import open_store
from tests.integration.access_log import access_log, lines_of
from tests.integration.imports import world
from tests.integration.imports.world import Books
from tests.servers.system import System

ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture(scope="module", params=["composed", "real"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The composed log, as long as the real one: an import of it can be killed half-way."""
    return access_log(request.param, tmp_path_factory.mktemp("log"), times=30)


@pytest.fixture
def site(request: pytest.FixtureRequest, luot: System) -> str:
    """A site of the test's own."""
    callspec = request.node.callspec
    slug = f"{request.node.originalname.split('_')[1]}-{callspec.params['log']}"
    luot.add_site(slug, timezone=ZONE)
    return slug


@pytest.fixture(scope="module")
def books(log: Path) -> Books:
    counted = world.count(lines_of(log), ZONE)
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
            "SELECT toString(day), uniqCombinedMerge(visitors) FROM daily_visitors"
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
    luot: System, site: str, log: Path, books: Books, tmp_path: Path
) -> None:
    (first,) = world.imported(luot.api, log, "--site", site)
    assert (first["begun"], first["pages"]) == ("new", books.total)
    assert first["sent"] == books.total + first["downloads"]
    assert first["visits"] == books.visits["total", "", ""]
    same(await held(luot, site), books)

    unpacked = tmp_path / "another name"
    unpacked.write_text("\n".join(lines_of(log)) + "\n")
    for file in (log, unpacked):
        (again,) = world.imported(luot.api, file, "--site", site)
        assert (again["begun"], again["sent"]) == ("done", 0)
    same(await held(luot, site), books)
    first_day = min(start for grain, start, _ in books.views if grain == "day")
    assert luot.counter_when(site, total=books.total, metric="views")["since"] == first_day


async def test_killed_at_random_points_and_resumed_it_is_the_same(
    luot: System, site: str, log: Path, books: Books, record_seed: Callable[[], int]
) -> None:
    chance = random.Random(record_seed())
    killed = 0
    for part in sorted(chance.uniform(0.05, 0.9) for _ in range(3)):
        killed += world.kill_at(luot.api, site, int(books.total * part), log, "--site", site)
        for service in (luot.api, luot.aggregator):
            if chance.random() < 0.5:
                service.kill()
                service.start()
    assert killed
    world.imported(luot.api, log, "--site", site)
    same(await held(luot, site), books)


async def test_grown_between_two_imports_it_is_the_same(
    luot: System, site: str, log: Path, books: Books, tmp_path: Path
) -> None:
    lines = lines_of(log)
    grown = tmp_path / "access.log"
    downloads = 0
    for part in (0.3, 0.7, 1.0):
        grown.write_text("\n".join(lines[: int(len(lines) * part)]) + "\n")
        files = world.imported(luot.api, grown, "--site", site)
        downloads += files[-1]["downloads"]
        assert files[-1]["begun"] == "new"
        assert {file["begun"] for file in files[:-1]} <= {"done"}
    same(await held(luot, site), books)
    listed = world.listed(luot.api, site)
    assert [one["file"] for one in listed] == ["access.log"] * 3
    assert sum(one["hits"] for one in listed) == books.total + downloads


async def test_cut_into_files_given_in_any_order_it_is_the_same(
    luot: System, site: str, log: Path, books: Books, tmp_path: Path
) -> None:
    lines = lines_of(log)
    parts = []
    for number, start in enumerate(range(0, len(lines), 2300)):
        part = tmp_path / f"access.log.{9 - number}"
        part.write_text("\n".join(lines[start : start + 2300]) + "\n")
        parts.append(part)
    world.imported(luot.api, *parts[:2], "--site", site)
    files = world.imported(luot.api, *parts[::-1], "--site", site)
    assert [file["begun"] for file in files] == ["done", "done", "new", "new", "new"]
    same(await held(luot, site), books)
