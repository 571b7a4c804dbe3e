"""`luot import`: from the lines of an access log to chunks, beside reading the file alone."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec

from benchmarks import workload
from benchmarks.measure import Result, compare, runs
from services.access_log.client import ImportClient, UploadState
from services.access_log.file import examine
from services.access_log.hits import HitReader
from services.access_log.parser import AccessLog
from services.access_log.upload import Chunks
from services.enrich.country import Countries
from services.model.hit import Hit
from services.model.site import Site

FILES_A_PAGE = 4
"""Images, scripts and styles that a browser asks for with a page, as in the logs of portals."""
CEILING = "read the file line by line"


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure each step with all before it, for a line of the log."""
    pages = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory(prefix="luot-imports-") as folder:
        path = Path(folder) / "access.log"
        lines = write(path, pages)
        for result in compare(
            {
                CEILING: partial(read, path),
                "look at it": partial(examine, path),
                "parse every line": partial(parse, path),
                "make hits of the pages": partial(decide, path),
                "and chunks of them, without sending": partial(cut, path),
            },
            lines,
            runs(quick),
            CEILING,
        ):
            yield msgspec.structs.replace(result, unit="µs/line")


def write(path: Path, pages: int) -> int:
    """Write a log of so many pages with their files; return the number of lines."""
    lines: list[str] = []
    files = [f"/static/{number}.png" for number in range(FILES_A_PAGE)]
    begin = datetime(2026, 11, 20, 10, tzinfo=UTC)
    for view in workload.page_views(pages):
        at = f"{begin + timedelta(seconds=view.after):%d/%b/%Y:%H:%M:%S %z}"
        tail = f'512 "{view.referrer or "-"}" "{view.user_agent}"'
        lines += [
            f'{view.address} - - [{at}] "GET {target} HTTP/1.1" 200 {tail}\n'
            for target in (urlsplit(view.url).path, *files)
        ]
    path.write_text("".join(lines))
    return len(lines)


def read(path: Path) -> int:
    """Read a file as Python does it, line by line."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


def parse(path: Path) -> int:
    """Read it as an access log."""
    with AccessLog(path) as log:
        return sum(1 for _ in log)


def decide(path: Path) -> list[tuple[int, Hit]]:
    """Return the hits of its pages."""
    site = Site(slug=workload.SITE, hosts=(workload.HOST,))
    reader = HitReader(
        site, workload.HOST, countries=Countries(None), max_paths=20_000, now=1 << 41
    )
    hits = []
    with AccessLog(path) as log:
        for line in log:
            found = reader.read(line, "0" * 64)
            if isinstance(found, Hit):
                hits.append((log.number, found))
    return hits


def cut(path: Path) -> int:
    """Make chunks of its pages; return how many were sent to nobody."""
    chunks = Chunks(cast("ImportClient", _Nobody()), "", UploadState(False, 0, 0, "0" * 64, []))
    for number, hit in decide(path):
        chunks.add(number, hit)
    chunks.flush()
    return chunks.sent


class _Nobody:
    """Takes every chunk at once."""

    def append(self, digest: str, after: int, upto: int, payload: bytes) -> int:
        return upto
