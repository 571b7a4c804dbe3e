"""What broken input leaves behind: each target is fed its corpus again and again.

    python -m tests.fuzz.memory [--inputs 50000]

prints how much the memory of the process grows with each input, as the slope of a line through
what it holds. A leak of one small object an input shows as a hundred bytes.
"""

import argparse
import gc
import logging
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from services.access_log.parser import AccessLog
from services.ingest import event
from services.ingest.spool import records, segment
from services.log import batch
from services.log.entries import LogEntry
from services.model.hit import Hit
from tests.fuzz import corpus

INPUTS = 50_000
WARM_UP = 2_000
READINGS = 20
_LONGEST = 100_000
_LINES_A_FILE = 100
_GOOD_EVENT = b'{"n":"pageview","u":"https://mytho.example/tin-tuc?tabid=1","d":"mytho","r":""}'
_GOOD_LINE = (
    b'203.0.113.9 - - [15/Nov/2023:12:00:00 +0700] "GET /tin-tuc?tabid=1 HTTP/1.1" 200 512'
    b' "https://www.google.com/" "Mozilla/5.0 (X11; Linux x86_64)"'
)

Target = Callable[[bytes], object]


class Growth(NamedTuple):
    """What feeding a target did: inputs, how many were refused, and bytes of memory an input."""

    inputs: int
    refused: int
    slope: float


def resident(pid: int | None = None) -> int:
    """Return the bytes of memory that a process holds."""
    fields = Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def damaged(good: bytes, chance: random.Random) -> bytes:
    """Return bytes with a few places changed, cut or put in."""
    content = bytearray(good)
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(content) + 1)
        content[place : place + chance.randrange(8)] = chance.randbytes(chance.randrange(8))
    return bytes(content)


def decode_batch(payload: bytes) -> None:
    """Decode as the aggregator does."""
    list(batch.decode(payload).hits())


def read_event(body: bytes) -> None:
    """Read the event of a hit, from a body and from the query of the image."""
    event.from_body(body)


def read_query(query: bytes) -> None:
    """Read the query of the image."""
    event.from_query(query, "")


class Files:
    """Targets that read files; a few inputs are one file."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "access.log"
        self._spool = folder / "00000001.spool"
        self._lines: list[bytes] = []

    def read_line(self, line: bytes) -> None:
        """Read lines of an access log."""
        self._lines.append(line)
        if len(self._lines) == _LINES_A_FILE:
            self._log.write_bytes(b"\n".join(self._lines))
            self._lines.clear()
            with AccessLog(self._log) as log:
                for _ in log:
                    pass

    def scan_segment(self, content: bytes) -> None:
        """Read a file of the spool."""
        self._spool.write_bytes(content)
        found = segment.scan(self._spool)
        if found.torn:
            raise ValueError(found)


def targets(folder: Path) -> dict[str, tuple[Target, bytes, list[bytes]]]:
    """Return by name what is fed, a good input of it, and the corpus."""
    files = Files(folder)
    hits = [Hit(site="mytho", path=f"/{number}", at=number, day=19_676) for number in range(5)]
    spooled = [
        records.encode(1, [LogEntry(0, "producer", number, 1, b"x" * 50)], attempted=False)
        for number in range(1, 20)
    ]
    made = (make() for make in corpus.BATCHES.values())
    batches = [payload for payload in made if len(payload) <= _LONGEST]
    lines = [line for line in corpus.ACCESS_LOG_LINES if len(line) <= 1000]
    query = b"d=mytho&u=https%3A%2F%2Fmytho.example%2F&r="
    return {
        "batches": (decode_batch, batch.encode(hits), batches),
        "events": (read_event, _GOOD_EVENT, [b"", b"{", b"[" * 5000, b'{"n":1}', b"\xff" * 100]),
        "queries": (read_query, query, [b"", b"%", b"&" * 5000, b"d=%ff&u=%00", b"\xff" * 100]),
        "access log lines": (files.read_line, _GOOD_LINE, lines),
        "spool files": (files.scan_segment, records.header(8) + b"".join(spooled), [b"", b"x"]),
    }


def feed(target: Target, good: bytes, bad: list[bytes], inputs: int) -> Growth:
    """Feed a target its corpus and damaged copies of a good input; measure on the way."""
    chance = random.Random(7)
    given = _inputs(good, bad, chance)
    refused = 0
    points: list[tuple[int, int]] = []
    for number in range(WARM_UP + inputs):
        if number >= WARM_UP and (number - WARM_UP) % max(1, inputs // READINGS) == 0:
            gc.collect()
            points.append((number, resident()))
        try:
            target(next(given))
        except (ValueError, event.EventError):
            refused += number >= WARM_UP
    return Growth(inputs, refused, _slope(points))


def _inputs(good: bytes, bad: list[bytes], chance: random.Random) -> Iterator[bytes]:
    while True:
        yield damaged(good, chance)
        yield chance.choice(bad)


def _slope(points: list[tuple[int, int]]) -> float:
    """Return the slope of the least-squares line."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return above / sum((x - mean_x) ** 2 for x, _ in points)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.memory")
    parser.add_argument("--inputs", type=int, default=INPUTS, help="number for each target")
    inputs = parser.parse_args().inputs
    logging.disable(logging.CRITICAL)
    sys.stdout.write("| input | fed | refused | growth of memory |\n|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        for name, (target, good, bad) in targets(Path(folder)).items():
            found = feed(target, good, bad, inputs)
            sys.stdout.write(
                f"| {name} | {found.inputs} | {found.refused}"
                f" | {found.slope:.1f} bytes an input |\n"
            )


if __name__ == "__main__":
    main()
