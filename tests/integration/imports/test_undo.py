"""An import taken back leaves nothing behind, whatever is killed, and can be made again."""

import random
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.access_log import COMPOSED, COMPOSED_DAYS, TIME, later, lines_of
from tests.integration.imports import world
from tests.noon import zone_at_noon
from tests.patience import PATIENCE_SECONDS
from tests.servers.system import TOKEN, System

ZONE = zone_at_noon()
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
PROPERTIES = ("event:page", "visit:source", "visit:country", "visit:browser", "event:hostname")


@pytest.fixture(scope="module", params=["kept", "old"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the last weeks, or one of years ago, whose raw hits are not kept."""
    lines = lines_of(COMPOSED)
    by = timedelta(0)
    if request.param == "kept":
        first = lines[0].partition("[")[2].partition("]")[0]
        age = datetime.now(UTC) - datetime.strptime(first, TIME)  # noqa: DTZ007 - it has %z
        by = timedelta(days=age.days - 4 * COMPOSED_DAYS - 1)
    path = tmp_path_factory.mktemp("log") / "access.log"
    moved = [
        later(line, by + timedelta(COMPOSED_DAYS) * number) for number in range(4) for line in lines
    ]
    path.write_text("".join(f"{line}\n" for line in moved))
    return path


@pytest.fixture
def site(request: pytest.FixtureRequest, luot: System) -> str:
    """A site of the test's own, which counted a few visits itself."""
    callspec = request.node.callspec
    slug = f"undo-{request.node.originalname.split('_')[1]}-{callspec.params['log']}"
    luot.add_site(slug, timezone=ZONE)
    for path in ("/", "/tin-tuc", "/only-here"):
        assert luot.hit(slug, path).status_code == 202
    luot.counter_when(slug, total=3, metric="views")
    return slug


FILE = "/van-ban/qd-12.pdf"


def downloads(luot: System, site: str) -> int:
    """Return how often the file was downloaded."""
    answer = httpx.get(f"{luot.api.url}/api/counter/{site}", params={"download": FILE})
    found: int = answer.json().get("downloads", {}).get(FILE, {}).get("downloads", 0)
    return found


def downloads_become(luot: System, site: str, number: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := downloads(luot, site)) != number:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def shown(luot: System, site: str) -> dict[str, Any]:
    """Return all that Luot shows of a site, publicly and to its admins."""
    everything: dict[str, Any] = {
        metric: {
            name: value
            for name, value in luot.counter(site, metric=metric).items()
            if name not in ("as_of", "online", "peak", "stale")
        }
        for metric in ("views", "visits", "visitors")
    }
    with httpx.Client(base_url=luot.api.url, headers=ADMIN, timeout=60) as client:
        dates = f"2023-01-01,{datetime.now(UTC) + timedelta(1):%Y-%m-%d}"
        query = {"site_id": site, "period": "custom", "date": dates}
        counts = {"metrics": "pageviews,visits,visitors"}
        asked = [("aggregate", {**query, **counts}), ("timeseries", {**query, **counts})]
        asked += [
            ("breakdown", {**query, **counts, "property": name, "limit": "100"})
            for name in PROPERTIES
        ]
        for name, parameters in asked:
            answer = client.get(f"/api/v1/stats/{name}", params=parameters)
            assert answer.status_code == 200, answer.text
            key = f"{name} {parameters.get('property', '')}"
            everything[key] = answer.json()["results"]
        top = client.get(f"/api/top/{site}", params={"period": "all", "limit": 50})
        (of_site,) = (
            one for one in client.get("/api/v1/table").json()["sites"] if one["site"] == site
        )
        everything["since"] = of_site["counted_since"]
        everything["top"] = top.json()["pages"] if top.status_code == 200 else top.text
    return everything


def settled(luot: System, site: str, total: int) -> dict[str, Any]:
    """Return what is shown once the public numbers were read again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (numbers := luot.counter(site, metric="views"))["total"] != total:
        assert time.monotonic() < deadline, numbers
        time.sleep(0.1)
    now = datetime.now(UTC)
    for metric in ("views", "visits", "visitors"):
        while datetime.fromisoformat(luot.counter(site, metric=metric)["as_of"]) <= now:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    return shown(luot, site)


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return what differs, in a line each."""
    return [
        f"{name}: {found[name]} instead of {expected[name]}"
        for name in expected
        if found[name] != expected[name]
    ]


def wait_until_undoing(luot: System, site: str, undoing: "subprocess.Popen[str]") -> None:
    """Return as soon as an undoing has begun, or has ended."""
    with world.admin(luot.api) as client:
        while undoing.poll() is None:
            state = client.get(f"/sites/{site}/imports").json()["imports"][-1]["state"]
            if state not in ("begun", "done"):
                return
            time.sleep(0.01)


def undo(luot: System, site: str, *more: object) -> None:
    done = world.undone(luot.api, site, "access.log", *more)
    assert done.returncode == 0, done.stderr
    assert world.listed(luot.api, site)[-1]["state"] == "undone"


def test_all_is_as_before_and_the_file_can_be_imported_again(
    luot: System, site: str, log: Path
) -> None:
    before = settled(luot, site, 3)
    books = world.count(lines_of(log), ZONE)
    (first,) = world.imported(luot.api, log, "--site", site)
    assert first["pages"] == books.total
    full = settled(luot, site, 3 + books.total)
    assert full["visits"]["total"] == 1 + books.visits["total", "", ""]
    undo(luot, site)
    assert not differences(settled(luot, site, 3), before)
    undo(luot, site)
    (again,) = world.imported(luot.api, log, "--site", site)
    assert (again["begun"], again["pages"]) == ("new", books.total)
    assert again["sent"] == first["sent"] == books.total + first["downloads"]
    assert not differences(settled(luot, site, 3 + books.total), full)
    with world.admin(luot.api) as client:
        entries = client.get("/audit", params={"site": site}).json()["entries"]
        assert [one["action"] for one in entries].count("import.undo") == 1


@pytest.mark.parametrize("log", ["kept"], indirect=True)
def test_killed_anywhere_and_repeated_it_is_the_same(
    luot: System, site: str, log: Path, record_seed: Callable[[], int]
) -> None:
    chance = random.Random(record_seed())
    before = settled(luot, site, 3)
    books = world.count(lines_of(log), ZONE)
    assert world.kill_at(luot.api, site, books.total // 3, log, "--site", site)
    for service in (luot.aggregator, luot.api):
        if chance.random() < 0.7:
            service.kill()
            service.start()
    # Half of an import goes like a whole one; it waits for the aggregator.
    luot.aggregator.kill()
    undoing = world.begin_undo(luot.api, site, "access.log")
    wait_until_undoing(luot, site, undoing)
    undoing.kill()
    undoing.communicate()
    luot.api.kill()
    luot.api.start()
    refused = world.run(luot.api, log, "--site", site)
    assert (refused.returncode, "is being undone" in refused.stderr) == (2, True)
    luot.aggregator.start()
    undo(luot, site)
    assert not differences(settled(luot, site, 3), before)
    world.imported(luot.api, log, "--site", site)
    full = settled(luot, site, 3 + books.total)
    assert full["visits"]["total"] == 1 + books.visits["total", "", ""]
    # The API dies in the middle of it, again and again.
    for pause in sorted(chance.uniform(0.0, 0.5) for _ in range(2)):
        undoing = world.begin_undo(luot.api, site, "access.log")
        wait_until_undoing(luot, site, undoing)
        time.sleep(pause)
        luot.api.kill()
        undoing.kill()
        undoing.communicate()
        luot.api.start()
    undo(luot, site)
    assert not differences(settled(luot, site, 3), before)


@pytest.mark.parametrize("log", ["kept"], indirect=True)
def test_the_first_import_of_a_file_that_has_grown_can_be_imported_again(
    luot: System, site: str, log: Path, tmp_path: Path
) -> None:
    lines = lines_of(log)
    grown = tmp_path / "access.log"
    grown.write_text("".join(f"{line}\n" for line in lines[: len(lines) // 2]))
    (first,) = world.imported(luot.api, grown, "--site", site)
    grown.write_text("".join(f"{line}\n" for line in lines))
    _, second = world.imported(luot.api, grown, "--site", site)
    total = 3 + first["pages"] + second["pages"]
    settled(luot, site, total)
    done = world.undone(luot.api, site, first["digest"])
    assert done.returncode == 0, done.stderr
    settled(luot, site, 3 + second["pages"])
    files = world.imported(luot.api, grown, "--site", site)
    assert [(one["digest"], one["begun"], one["sent"]) for one in files] == [
        (first["digest"], "new", first["sent"]),
        (second["digest"], "done", 0),
    ]
    settled(luot, site, total)


def test_downloads_of_an_import_are_taken_back_with_it(
    luot: System, site: str, log: Path, tmp_path: Path
) -> None:
    lines = lines_of(log)
    at = lines[0].partition("[")[2].partition("]")[0]
    mixed = tmp_path / "access.log"
    mixed.write_text("".join(f"{line}\n" for line in [*lines, *[world.line(at, FILE)] * 3]))
    books = world.count(lines, ZONE)
    world.imported(luot.api, mixed, "--site", site)
    settled(luot, site, 3 + books.total)
    downloads_become(luot, site, 3)
    undo(luot, site)
    settled(luot, site, 3)
    downloads_become(luot, site, 0)


def test_taken_back_by_a_correction_first_it_is_refused(luot: System, site: str, log: Path) -> None:
    world.imported(luot.api, log, "--site", site)
    with world.admin(luot.api) as client:
        (known,) = client.get(f"/sites/{site}/imports").json()["imports"]
        start, end = (
            datetime.fromtimestamp(known[name] / 1000, UTC).isoformat()
            for name in ("first_at", "last_at")
        )
        body = {"id": "c", "query": {"from": start, "to": end}, "reason": "test"}
        made = client.post(f"/sites/{site}/corrections", json=body)
        if made.status_code == 400:
            # Of what is not kept no view is found.
            assert "finds no view" in made.text
            return
        assert made.status_code == 201, made.text
        refused = world.undone(luot.api, site, "access.log")
        assert (refused.returncode, "correction c takes back" in refused.stderr) == (2, True)
        client.post(f"/sites/{site}/corrections/c/reverse", json={"reason": "test"})
        undo(luot, site)
        settled(luot, site, 3)
        ledger = client.get(f"/sites/{site}/corrections").json()["corrections"]
        assert ledger[0]["id"].startswith("import:")
        again = client.post(
            f"/sites/{site}/corrections/{ledger[0]['id']}/reverse", json={"reason": "test"}
        )
        assert (again.status_code, "import the file again" in again.text) == (422, True)
