"""The spool on the disk: what is whole is kept, whatever happened to the rest."""

import asyncio
import logging
import resource
import stat
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.spool import records
from services.ingest.spool.folder import Folder
from services.ingest.spool.records import SpoolRecord
from services.ingest.spool.segment import Segment, scan
from services.ingest.spool.spool import Spool, SpoolError
from services.log.entries import LogEntry

PARTITIONS = 4
NOW = 1_700_000_000_000

ENTRY = st.builds(
    LogEntry,
    partition=st.integers(0, PARTITIONS - 1),
    producer=st.text("0123456789abcdef", min_size=1, max_size=16),
    sequence=st.integers(1, 1 << 40),
    hits=st.integers(1, 500),
    payload=st.binary(max_size=60),
)
RECORD = st.builds(
    SpoolRecord,
    written=st.integers(NOW, NOW + 1_000_000),
    attempted=st.booleans(),
    entries=st.lists(ENTRY, min_size=1, max_size=4),
)


def entry(sequence: int, payload: bytes = b"x") -> LogEntry:
    return LogEntry(0, "producer", sequence, 1, payload)


def encoded(record: SpoolRecord) -> bytes:
    return records.encode(record.written, record.entries, attempted=record.attempted)


def left_behind(root: Path, content: bytes) -> Path:
    """Make the folder of a process that is gone."""
    folder = root / "0123456789abcdef"
    folder.mkdir()
    (folder / "00000001.spool").write_bytes(content)
    return folder


async def drained(folder: Folder) -> list[SpoolRecord]:
    found: list[SpoolRecord] = []
    while (chunk := await folder.read()) is not None:
        found += chunk.records
        folder.drop(chunk)
    return found


def adopted(content: bytes) -> tuple[list[SpoolRecord], int]:
    """Return what is drained from such a file, and the hits that were announced."""
    with tempfile.TemporaryDirectory() as root:
        folder = Folder.adopt(left_behind(Path(root), content), PARTITIONS)
        assert folder is not None
        hits = folder.hits
        found = asyncio.run(drained(folder))
        folder.close()
        return found, hits


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "services.ingest.spool")


@given(st.lists(RECORD, max_size=6), st.data())
def test_after_a_cut_at_any_byte_the_whole_records_before_it_are_kept(
    written: list[SpoolRecord], data: st.DataObject
) -> None:
    parts = [records.header(PARTITIONS), *map(encoded, written)]
    content = b"".join(parts)
    cut = data.draw(st.integers(0, len(content)))
    ends = [sum(map(len, parts[: number + 1])) for number in range(1, len(parts))]
    expected = [record for record, end in zip(written, ends, strict=True) if end <= cut]
    found, hits = adopted(content[:cut])
    assert found == expected
    assert hits == sum(record.hits for record in expected)


@given(st.lists(RECORD, min_size=1, max_size=6), st.data())
def test_after_a_flipped_bit_nothing_is_invented_and_what_was_before_it_is_kept(
    written: list[SpoolRecord], data: st.DataObject
) -> None:
    parts = [records.header(PARTITIONS), *map(encoded, written)]
    content = bytearray(b"".join(parts))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    found, _ = adopted(bytes(content))
    ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts))]
    assert found == written[: sum(end <= bit // 8 for end in ends[1:])]


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_end_in_an_error(content: bytes, with_header: bool) -> None:
    header = records.header(PARTITIONS) if with_header else b""
    assert adopted(header + content) == ([], 0)


async def test_records_come_back_in_order_also_while_more_are_written(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path, PARTITIONS)
    found: list[SpoolRecord] = []
    for number in range(1, 50):
        data = records.encode(NOW + number, [entry(number)], attempted=False)
        await folder.append(data, hits=1, written=NOW + number)
        if number % 7 == 0:
            found += await drained(folder)
    found += await drained(folder)
    assert [record.entries[0].sequence for record in found] == list(range(1, 50))
    assert (folder.hits, folder.oldest, folder.left) == (0, None, 0)
    await folder.clear()
    folder.close()
    assert not folder.path.exists()


async def test_full_files_are_deleted_as_soon_as_they_are_drained(tmp_path: Path) -> None:
    folder = Folder.create(tmp_path, PARTITIONS, segment_bytes=1000)
    for number in range(1, 100):
        data = records.encode(NOW, [entry(number, b"x" * 100)], attempted=False)
        await folder.append(data, hits=1, written=NOW)
    assert len(list(folder.path.iterdir())) > 5
    assert [r.entries[0].sequence for r in await drained(folder)] == list(range(1, 100))
    assert len(list(folder.path.iterdir())) == 1
    folder.close()


async def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 1 << 20, PARTITIONS, lambda: NOW)
    await spool.open()
    await spool.append([entry(1)], attempted=False)
    (file,) = spool.own.path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for folder in (spool.own.path, spool.root):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    spool.close()


async def test_a_folder_in_use_is_not_adopted_and_one_left_behind_is_adopted_once(
    tmp_path: Path,
) -> None:
    ours, other, third = (Spool(tmp_path, 1 << 20, PARTITIONS, lambda: NOW) for _ in range(3))
    for spool in (ours, other, third):
        await spool.open()
    await ours.append([entry(1)], attempted=False)
    assert await other.adopt() == []
    ours.close()
    (found,) = await other.adopt()
    assert await third.adopt() == []
    assert [record.entries for record in await drained(found)] == [[entry(1)]]
    await found.clear()
    other.release(found)
    assert not found.path.exists()
    other.close()
    third.close()


async def test_a_spool_of_another_number_of_partitions_stays_as_it_is(tmp_path: Path) -> None:
    content = records.header(8) + records.encode(NOW, [entry(1)], attempted=False)
    path = left_behind(tmp_path, content)
    spool = Spool(tmp_path, 1 << 20, PARTITIONS, lambda: NOW)
    await spool.open()
    (folder,) = await spool.adopt()
    assert await folder.read() is None
    await folder.clear()
    spool.release(folder)
    assert await spool.adopt() == []
    assert (path / "00000001.spool").read_bytes() == content
    spool.close()


async def test_a_file_damaged_in_the_middle_is_kept_for_people(tmp_path: Path) -> None:
    parts = [records.encode(NOW, [entry(n)], attempted=False) for n in range(1, 4)]
    parts[1] = parts[1][:-1] + b"?"
    path = left_behind(tmp_path, records.header(PARTITIONS) + b"".join(parts))
    folder = Folder.adopt(path, PARTITIONS)
    assert folder is not None
    assert [record.entries for record in await drained(folder)] == [[entry(1)]]
    await folder.clear()
    folder.close()
    assert [file.name for file in path.iterdir()] == ["00000001.damaged"]


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("doubtful", [False, True])
async def test_files_are_deleted_also_after_a_cancellation(
    tmp_path: Path, started: bool, doubtful: bool
) -> None:
    """A process that stops cancels its drain, and drains once more."""
    loop = asyncio.get_running_loop()
    busy, go_on = ThreadPoolExecutor(1), threading.Event()
    loop.set_default_executor(busy)
    folder = Folder.create(tmp_path, PARTITIONS)
    await folder.append(encoded(SpoolRecord(NOW, False, [entry(1)])), hits=1, written=NOW)
    await drained(folder)
    if doubtful:
        folder.doubt()
    if not started:
        busy.submit(go_on.wait)
    clearing = asyncio.create_task(folder.clear())
    await asyncio.sleep(0)
    if started:
        await asyncio.to_thread(lambda: None)
    clearing.cancel()
    await asyncio.wait([clearing])
    go_on.set()
    await folder.clear()
    folder.close()
    left = await asyncio.to_thread(lambda: [file.name for file in tmp_path.glob("*/*")])
    assert left == ["00000001.doubtful"] * doubtful


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Let no file of this process become larger: a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_a_full_disk_left_of_a_record_is_truncated_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 20, PARTITIONS, lambda: NOW)
    await spool.open()
    await spool.append([entry(1)], attempted=False)
    (file,) = spool.own.path.iterdir()
    before = file.read_bytes()
    with file_limit(len(before) + 20), pytest.raises(SpoolError, match="File too large"):
        await spool.append([entry(2, b"x" * 100)], attempted=False)
    assert file.read_bytes() == before
    await spool.append([entry(3)], attempted=False)
    assert [r.entries[0].sequence for r in await drained(spool.own)] == [1, 3]
    spool.close()


async def test_a_full_disk_leaves_no_file_without_a_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 20, PARTITIONS, lambda: NOW)
    await spool.open()
    with file_limit(5), pytest.raises(SpoolError):
        await spool.append([entry(1)], attempted=False)
    assert list(spool.own.path.iterdir()) == []
    spool.close()


async def test_after_a_failed_fsync_the_next_record_goes_to_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, 1 << 20, PARTITIONS, lambda: NOW)
    await spool.open()
    await spool.append([entry(1)], attempted=False)

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", broken)
        with pytest.raises(SpoolError, match="Input/output error"):
            await spool.append([entry(2)], attempted=False)
    await spool.append([entry(3)], attempted=False)
    assert len(list(spool.own.path.iterdir())) == 2
    assert [r.entries[0].sequence for r in await drained(spool.own)] == [1, 3]
    spool.close()


async def test_the_limit_counts_what_was_adopted(tmp_path: Path) -> None:
    content = records.header(PARTITIONS) + records.encode(
        NOW, [entry(1, b"x" * 900)], attempted=False
    )
    left_behind(tmp_path, content)
    spool = Spool(tmp_path, 1000, PARTITIONS, lambda: NOW + 5000)
    await spool.open()
    await spool.adopt()
    assert (spool.hits, spool.size, spool.age()) == (1, len(content), 5.0)
    with pytest.raises(SpoolError, match=r"LUOT_SPOOL_BYTES=1000"):
        await spool.append([entry(2, b"x" * 100)], attempted=False)
    spool.close()


def test_a_file_that_is_being_made_when_the_process_dies_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "00000001.spool"
    Segment.create(path, PARTITIONS).seal()
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert not scan(path).whole_header
