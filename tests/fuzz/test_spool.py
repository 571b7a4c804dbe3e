"""Spool files of real size, damaged in every way: little time, little memory, no record lost."""

import asyncio
import logging
import random
import resource
import shutil
import time
import tracemalloc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.spool import records, segment
from services.ingest.spool.folder import Folder
from services.ingest.spool.records import SpoolRecord
from services.log.entries import LogEntry
from tests.fuzz import corpus

PARTITIONS = 8
NOW = 1_700_000_000_000
HITS = 500
RECORDS = 100
SECONDS = 10.0
MEMORY = 4 * segment.SEGMENT_BYTES

fuzzed = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def written() -> tuple[list[SpoolRecord], list[bytes]]:
    """Return full group commits of 40 to 60 KB each, and how they stand in a segment."""
    chance = random.Random(4)
    made = []
    for number in range(1, RECORDS + 1):
        payload = chance.randbytes(chance.randrange(40_000, 60_000))
        made.append(
            SpoolRecord(NOW + number, False, [LogEntry(0, "producer", number, HITS, payload)])
        )
    return made, [records.encode(r.written, r.entries, attempted=r.attempted) for r in made]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "services.ingest.spool")


@pytest.fixture
def left_behind(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "0123456789abcdef"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # some files are large


async def drained(folder: Folder) -> list[int]:
    """Return the sequences that are drained."""
    found = []
    while (chunk := await folder.read()) is not None:
        found += [entry.sequence for record in chunk.records for entry in record.entries]
        folder.drop(chunk)
    await folder.clear()
    return found


def adopt(path: Path) -> tuple[list[int], int]:
    """Adopt a folder and drain it; return the sequences, and how many hits were announced."""
    folder = Folder.adopt(path, PARTITIONS)
    assert folder is not None
    hits = folder.hits
    found = asyncio.run(drained(folder))
    folder.close()
    return found, hits


DAMAGE = st.sampled_from(
    ["cut", "flip", "repeat", "append", "zeros", "lengths", "overwrite", "take out"]
)


def damage(content: bytearray, how: str, at: int, size: int, chance: random.Random) -> None:
    """Damage bytes from an offset on, and nothing before it."""
    match how:
        case "cut":
            del content[at:]
        case "flip":
            content[at] ^= 1 << chance.randrange(8)
        case "repeat":
            content[at:at] = content[max(0, at - size) : at]
        case "append":
            content += chance.randbytes(size)
        case "zeros":
            content[at : at + size] = bytes(size)
        case "lengths":
            content[at : at + 4] = b"\xff\xff\xff\xff"
        case "overwrite":
            content[at : at + size] = chance.randbytes(size)
        case "take out":
            del content[at : at + size]


@fuzzed
@given(
    wounds=st.lists(
        st.tuples(DAMAGE, st.floats(0, 1, exclude_max=True), st.integers(1, 1 << 20)),
        min_size=1,
        max_size=3,
    ),
    seed=st.integers(0, 1 << 32),
)
def test_every_record_before_the_damage_is_kept_and_the_rest_is_told(
    left_behind: Path, wounds: list[tuple[str, float, int]], seed: int
) -> None:
    _, encoded = written()
    content = bytearray(records.header(PARTITIONS) + b"".join(encoded))
    first = len(content)
    for how, place, size in wounds:
        at = records.HEADER_BYTES + int(place * (len(content) - records.HEADER_BYTES))
        first = min(first, len(content) if how == "append" else at)
        damage(content, how, at, size, random.Random(seed))
        if len(content) <= records.HEADER_BYTES:
            break
    file = left_behind / "00000001.spool"
    file.write_bytes(content)
    kept, end = 0, records.HEADER_BYTES
    while kept < RECORDS and (end := end + len(encoded[kept])) <= first:
        kept += 1

    told = segment.scan(file)
    began = time.process_time()
    found, hits = adopt(left_behind)

    assert time.process_time() - began < SECONDS
    assert found[:kept] == list(range(1, kept + 1))
    assert set(found) <= set(range(1, RECORDS + 1)), "nothing is invented"
    assert hits == told.hits == len(found) * HITS
    assert told.end + told.torn == len(content)
    left = list(left_behind.parent.glob("*/*"))
    assert [path.suffix for path in left] == ([segment.DAMAGED] if told.damaged else [])
    for path in left:
        path.unlink()
    left_behind.mkdir(exist_ok=True)


@pytest.mark.parametrize("name", corpus.SPOOLS)
def test_the_corpus_of_bad_tails_costs_little_time_and_memory(left_behind: Path, name: str) -> None:
    _, encoded = written()
    file = left_behind / "00000001.spool"
    good = records.header(PARTITIONS) + b"".join(encoded[:20])
    with file.open("wb") as opened:
        opened.write(good)
        corpus.SPOOLS[name](opened)
    size = file.stat().st_size
    began = time.process_time()
    told = segment.scan(file)
    seconds = time.process_time() - began
    tracemalloc.start()
    try:
        found, _ = adopt(left_behind)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found == list(range(1, 21))
    assert told.torn == size - len(good)
    assert seconds < SECONDS
    assert peak < MEMORY


def test_a_spool_at_its_limit_is_adopted_in_little_memory(left_behind: Path) -> None:
    made, encoded = written()
    content = b"".join(encoded)
    files = 40
    for number in range(files):
        with (left_behind / f"{number:08}.spool").open("wb") as file:
            file.write(records.header(PARTITIONS))
            file.write(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    began = time.process_time()
    folder = Folder.adopt(left_behind, PARTITIONS)

    assert folder is not None
    assert time.process_time() - began < SECONDS
    assert folder.hits == files * len(made) * HITS
    assert folder.size == sum(path.stat().st_size for path in left_behind.iterdir())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY >> 10
    asyncio.run(folder.clear())
    folder.close()
