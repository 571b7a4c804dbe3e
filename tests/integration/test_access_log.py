"""A real access log, replayed against the three services, gives what counting it by hand gives."""

import json
import subprocess
import sys
from collections import Counter

import httpx

from tests.integration.access_log import REAL, pages, real_lines
from tests.require import missing
from tests.servers.system import System

HOST = "semicomplete.example"


def recount() -> tuple[Counter[str], set[tuple[str, str]]]:
    """Return the views of each path, and who viewed: an independent reading of the file."""
    views: Counter[str] = Counter()
    visitors: set[tuple[str, str]] = set()
    for page in pages(real_lines()):
        views[page.path] += 1
        visitors.add((page.address, page.agent))
    return views, visitors


def test_the_counters_equal_a_recount_of_the_file(luot: System) -> None:
    if not REAL.exists():
        missing(f"{REAL.name} (real input beside the project)")
    views, visitors = recount()
    assert views.total() > 1000
    luot.add_site("semicomplete", hosts=[HOST])

    options = ["--site", "semicomplete", "--host", HOST, "--url", luot.ingest.url, "--json"]
    replay = subprocess.run(
        [sys.executable, "-m", "services.cli.main", "replay", str(REAL), *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    summary = json.loads(replay.stdout)
    assert summary["accepted"] == views.total()
    assert summary["dropped"].keys() == {"bot"}

    numbers = luot.counter_when("semicomplete", total=views.total(), metric="views")
    for period in ("today", "this_week", "this_month", "this_year"):
        assert numbers[period] == views.total()
    # The replay is shorter than a visit's window: each visitor made one visit.
    assert luot.counter("semicomplete")["total"] == len(visitors)

    counted: dict[str, int] = {}
    paths = sorted(views)
    for start in range(0, len(paths), 100):
        query = {"path": paths[start : start + 100]}
        answer = httpx.get(f"{luot.api.url}/api/counter/semicomplete", params=query).json()
        counted |= {path: count["views"] for path, count in answer["paths"].items()}
    assert counted == dict(views)
