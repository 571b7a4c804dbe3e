"""A real access log, replayed against the three services, gives what counting it by hand gives."""

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import httpx

from services.ingest.bots import is_bot
from tests.require import missing
from tests.servers.system import System

LOG = Path(__file__).parents[3] / "shared" / "data" / "apache_access.log.gz"
HOST = "semicomplete.example"

LINE = re.compile(
    r'^(?P<address>\S+) \S+ \S+ \[[^]]+\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+"'
    r' (?P<status>\d{3}) \S+ "(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)"$'
)
FILE = re.compile(
    r"\.(png|jpe?g|gif|ico|svg|css|js|txt|xml|rss|rdf|atom|pdf|gz|tgz|tar|zip|bz2|rpm|deb|mp3|mp4"
    r"|mov|avi|swf|woff|ttf|eot|jar|exe|iso|json|ps|doc|wav|ogg|flv|m4v|less|map|yml|mpg)$"
)
FEED = re.compile(r"(^|&)(flav|feed|type|format)=(rss|atom|rdf)")


def recount() -> tuple[Counter[str], set[tuple[str, str]]]:
    """Return the views of each path, and who viewed: an independent reading of the file."""
    views: Counter[str] = Counter()
    visitors: set[tuple[str, str]] = set()
    for line in gzip.decompress(LOG.read_bytes()).decode(errors="replace").splitlines():
        match = LINE.match(line)
        if match is None or match["method"] != "GET":
            continue
        if match["status"][0] != "2" and match["status"] != "304":
            continue
        path, _, query = match["target"].partition("?")
        name = path.rstrip("/").rpartition("/")[2].lower()
        if FILE.search(name) or name in ("feed", "rss", "atom") or FEED.search(query.lower()):
            continue
        agent = match["agent"].replace('\\"', '"')
        if is_bot(agent):
            continue
        segments = [segment for segment in unquote(path).split("/") if segment]
        if segments and re.fullmatch(r"index\.\w+", segments[-1]):
            segments.pop()
        views["/" + "/".join(segments)] += 1
        visitors.add((match["address"], agent))
    return views, visitors


def test_the_counters_equal_a_recount_of_the_file(luot: System) -> None:
    if not LOG.exists():
        missing(f"{LOG.name} (real input beside the project)")
    views, visitors = recount()
    assert views.total() > 1000
    luot.add_site("semicomplete", hosts=[HOST])

    options = ["--site", "semicomplete", "--host", HOST, "--url", luot.ingest.url, "--json"]
    replay = subprocess.run(
        [sys.executable, "-m", "services.cli", "replay", str(LOG), *options],
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
