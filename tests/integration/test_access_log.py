"""An access log, replayed against the three services, gives what counting it by hand gives."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.access_log import access_log, lines_of, pages
from tests.servers.system import System

HOST = "semicomplete.example"


def recount(log: Path) -> tuple[Counter[str], set[tuple[str, str]]]:
    """Return the views of each path, and who viewed: an independent reading of the file."""
    views: Counter[str] = Counter()
    visitors: set[tuple[str, str]] = set()
    for page in pages(lines_of(log)):
        views[page.path] += 1
        visitors.add(page.visitor)
    return views, visitors


@pytest.mark.parametrize("name", ["composed", "real"])
def test_the_counters_equal_a_recount_of_the_file(luot: System, name: str, tmp_path: Path) -> None:
    log = access_log(name, tmp_path)
    views, visitors = recount(log)
    assert views.total() > (1000 if name == "real" else 100)
    luot.add_site(name, hosts=[HOST])

    options = ["--site", name, "--host", HOST, "--url", luot.ingest.url, "--json"]
    replay = subprocess.run(
        [sys.executable, "-m", "services.cli.main", "replay", str(log), *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    summary = json.loads(replay.stdout)
    assert summary["accepted"] == views.total()
    assert summary["dropped"].keys() == {"bot"}

    numbers = luot.counter_when(name, total=views.total(), metric="views")
    for period in ("today", "this_week", "this_month", "this_year"):
        assert numbers[period] == views.total()
    # The replay is shorter than a visit's window: each visitor made one visit.
    assert luot.counter(name)["total"] == len(visitors)

    counted: dict[str, int] = {}
    paths = sorted(views)
    for start in range(0, len(paths), 100):
        answer = luot.counter(name, path=paths[start : start + 100])
        counted |= {path: count["views"] for path, count in answer["paths"].items()}
    assert counted == dict(views)
