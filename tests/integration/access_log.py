"""The pages of an access log: an independent reading, which shares only the bots with Luot."""

import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from services.enrich.bots import Bots

BOTS = Bots()
REAL = Path(__file__).parents[3] / "shared" / "data" / "apache_access.log.gz"

LINE = re.compile(
    r'^(?P<address>\S+) \S+ \S+ \[(?P<at>[^]]+)\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+"'
    r' (?P<status>\d{3}) \S+ "(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)"$'
)
FILE = re.compile(
    r"\.(png|jpe?g|gif|ico|svg|css|js|txt|xml|rss|rdf|atom|pdf|gz|tgz|tar|zip|bz2|rpm|deb|mp3|mp4"
    r"|mov|avi|swf|woff|ttf|eot|jar|exe|iso|json|ps|doc|wav|ogg|flv|m4v|less|map|yml|mpg)$"
)
FEED = re.compile(r"(^|&)(flav|feed|type|format)=(rss|atom|rdf)")


class Page(NamedTuple):
    """A page that a person was sent; `at` as it stands in the log."""

    at: str
    address: str
    agent: str
    path: str


def real_lines() -> list[str]:
    return gzip.decompress(REAL.read_bytes()).decode(errors="replace").splitlines()


def pages(lines: Iterable[str]) -> Iterator[Page]:
    """Read the pages of people, in the order of the log."""
    for line in lines:
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
        if BOTS.is_bot(agent):
            continue
        segments = [segment for segment in unquote(path).split("/") if segment]
        if segments and re.fullmatch(r"index\.\w+", segments[-1]):
            segments.pop()
        yield Page(match["at"], match["address"], agent, "/" + "/".join(segments))
