"""Access logs, and an independent reading of their pages, which shares only the bots with Luot.

composed  five days of a portal, in the project
real      10,000 requests to a real web site, beside the project: an extra
"""

import gzip
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from ipaddress import ip_interface
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from services.enrich.bots import Bots
from tests.require import beside

BOTS = Bots()
COMPOSED = Path(__file__).parents[1] / "data" / "access.log"
COMPOSED_DAYS = 5
REAL = Path(__file__).parents[3] / "shared" / "data" / "apache_access.log.gz"

TIME = "%d/%b/%Y:%H:%M:%S %z"
LINE = re.compile(
    r'^(?P<address>\S+) \S+ \S+ \[(?P<at>[^]]+)\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+"'
    r' (?P<status>\d{3}) \S+ "(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)"$'
)
FILE = re.compile(
    r"\.(png|jpe?g|gif|ico|svg|css|js|txt|xml|rss|rdf|atom|pdf|gz|tgz|tar|zip|bz2|rpm|deb|mp3|mp4"
    r"|mov|avi|swf|woff2?|ttf|eot|jar|exe|iso|json|ps|doc|wav|ogg|flv|m4v|less|map|yml|mpg)$"
)
FEED = re.compile(r"(^|&)(flav|feed|type|format)=(rss|atom|rdf)")


class Page(NamedTuple):
    """A page that a person was sent; `at` as it stands in the log."""

    at: str
    address: str
    agent: str
    path: str

    @property
    def visitor(self) -> tuple[str, str]:
        """The household, a /64 of IPv6, and its browser."""
        if ":" not in self.address:
            return self.address, self.agent
        return str(ip_interface(f"{self.address}/64").network), self.agent


def access_log(name: str, folder: Path, times: int = 1) -> Path:
    """Return the access log of this name; the composed one so many times, on other days each."""
    if name == "real":
        return beside(REAL)
    grown = folder / "access.log.gz"
    days = (timedelta(COMPOSED_DAYS) * number for number in range(times))
    lines = [later(line, by) for by in days for line in lines_of(COMPOSED)]
    grown.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return grown


def later(line: str, by: timedelta) -> str:
    """Return a line with its time moved."""
    before, _, rest = line.partition("[")
    at, _, after = rest.partition("]")
    moved = datetime.strptime(at, TIME) + by  # noqa: DTZ007 - it has %z
    return f"{before}[{moved.strftime(TIME)}]{after}"


def lines_of(log: Path) -> list[str]:
    content = log.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return content.decode(errors="replace").splitlines()


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
        if segments and re.fullmatch(r"(index|default)\.\w+", segments[-1].lower()):
            segments.pop()
        yield Page(match["at"], match["address"], agent, "/" + "/".join(segments))
