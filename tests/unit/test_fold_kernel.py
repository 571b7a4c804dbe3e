"""The fold in C gives what the fold in Python gives: the same rows on any log, cut anyhow."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.flush import ALL_COLUMNS, hit_columns
from services.aggregator.fold import Folded, FoldedPages, PartitionFold, Read
from services.aggregator.folding import choose
from services.aggregator.kernel import library
from services.aggregator.kernel.build import CompilerError, compile_library, source_digest
from services.aggregator.kernel.entries import (
    ALL_DAYS,
    KernelColumn,
    KernelEntries,
    columns_between,
)
from services.aggregator.kernel.fold import KernelFold, KernelFolded, KernelPages
from services.aggregator.kernel.library import KernelError, Library
from services.aggregator.repetitions import MOST_IDS
from services.log import batch
from services.log.batch import MAX_HITS, Batch, BatchError, encode
from services.log.redis import entry_ids
from services.model.calendar import months
from services.store.drivers.column_types import register
from services.store.drivers.native import NativeFormat
from services.store.native_column import NativeColumn, UnwritableError
from tests.kernel import kernel
from tests.require import program
from tests.unit.test_fold import DAY, MINUTE, START, Log, a_hit, at, batch_of, chances, logs, run

register()

TYPES = {
    **dict.fromkeys(ALL_COLUMNS, "LowCardinality(String)"),
    "site": "String", "path": "String", "own_path": "String",
    "at": "UInt64", "day": "Date", "visitor": "UInt64", "visit": "UInt8", "bot": "UInt8",
    "position": "UInt64", "idx": "UInt16",
}  # fmt: skip


def both() -> tuple[PartitionFold, KernelFold]:
    return PartitionFold(0), KernelFold(kernel(), 0)


def cuts(log: Log, chance: Random) -> Iterator[Log]:
    rest = list(log)
    while rest:
        cut = chance.randint(1, len(rest))
        yield rest[:cut]
        rest = rest[cut:]


def assert_equal(one: Folded, other: KernelFolded) -> None:
    python = other.in_python
    assert (one.partition, one.first, one.last) == (other.partition, other.first, other.last)
    assert (one.position, one.visit) == (python.position, python.visit)
    columns = {name: getattr(one.hits, name) for name in Batch.__struct_fields__ if name != "visit"}
    assert columns == {name: getattr(python.hits, name) for name in columns}
    assert (one.views, one.visits, one.ends) == (python.views, python.visits, python.ends)
    assert (one.repeated, one.arrived, len(one)) == (other.repeated, other.arrived, len(other))


def peaks(fold: PartitionFold | KernelFold) -> set[Any]:
    return {msgspec.structs.astuple(peak) for peak in fold.online.take_peaks()}


def as_stored(columns: dict[str, list[Any]] | dict[str, KernelColumn]) -> list[Any]:
    format_, types = NativeFormat(), [(name, TYPES[name]) for name in columns]
    values = [v if isinstance(v, NativeColumn) else list(v) for v in columns.values()]
    return format_.decode(format_.encode(types, values))


@settings(max_examples=250, deadline=None)
@given(log=logs, chance=chances, minutes=st.integers(0, 10))
def test_the_same_comes_out_of_any_log(log: Log, chance: Random, minutes: int) -> None:
    one, other = both()
    pages: tuple[FoldedPages, KernelPages] | None = None
    for part in cuts(log, chance):
        folded = one.fold(run(*part)), other.fold(run(*part))
        assert_equal(*folded)
        pages = pages or (folded[0].no_pages(), folded[1].no_pages())
        pages[0].add(folded[0])
        pages[1].add(folded[1])
        assert len(pages[0]) == len(pages[1])
        now = entry_ids.time_ms(part[-1][0]) + minutes * MINUTE
        assert one.online.counts(now) == other.online.counts(now)
        assert one.position == other.position
    assert peaks(one) == peaks(other)


def by_clock(part: Log, clock: int) -> list[Read]:
    """Return entries with their log time by a clock that differs by so many ms."""
    return [(where, now + clock, entry) for where, now, entry in run(*part)]


@settings(max_examples=250, deadline=None)
@given(log=logs, chance=chances)
def test_the_same_comes_out_whatever_the_clock_of_the_log_does(log: Log, chance: Random) -> None:
    one, other = both()
    for part in cuts(log, chance):
        reads: list[Read] = []
        for entries in cuts(part, chance):
            clock = chance.choice([0, 0, 1, 1_100, 5_000, 6 * MINUTE, 32 * MINUTE, 200 * MINUTE])
            reads += by_clock(entries, -clock)
        assert_equal(one.fold(reads), other.fold(reads))
        now = reads[-1][1]
        assert one.online.counts(now) == other.online.counts(now)
    assert peaks(one) == peaks(other)


def test_a_busy_hour_does_not_stay_in_the_state() -> None:
    fold, few = KernelFold(kernel(), 0), KernelFold(kernel(), 0)
    for batch_number in range(40):
        readers = range(batch_number * MAX_HITS, (batch_number + 1) * MAX_HITS)
        entry = batch_of(*(a_hit(0, visitor=reader + 1) for reader in readers))
        fold.rebuild(run((at(batch_number), entry)))
    busy = len(fold.pack())
    for each in (fold, few):
        each.rebuild(run((at(40 * MINUTE), batch_of(a_hit(40 * MINUTE)))))
    assert len(fold.pack()) == len(few.pack()) < busy // 100
    for minute in (70, 110):
        fold.rebuild(run((at(minute * MINUTE), batch_of(a_hit(minute * MINUTE, visitor=9)))))
    assert kernel().remembered(fold.at) <= 3


@settings(max_examples=100, deadline=None)
@given(log=logs, chance=chances)
def test_a_state_that_was_packed_at_any_cut_goes_on_as_if_it_had_not_been(
    log: Log, chance: Random
) -> None:
    one, other = both()
    for part in cuts(log, chance):
        expected = one.fold(run(*part))
        assert_equal(expected, other.fold(run(*part)))
        packed = other.pack()
        other = KernelFold.unpack(kernel(), 0, packed)
        assert sorted(other.pack()) == sorted(packed)


@settings(max_examples=200, deadline=None)
@given(log=logs, chance=chances, damage=st.integers(0, (1 << 32) - 1))
def test_a_packed_state_that_was_damaged_is_refused_or_is_a_state(
    log: Log, chance: Random, damage: int
) -> None:
    _, fold = both()
    fold.fold(run(*log))
    packed = damaged(fold.pack(), Random(damage))
    try:
        other = KernelFold.unpack(kernel(), 0, packed)
    except (ValueError, MemoryError):
        return
    later = max(entry_ids.encode(START, 0) * 2, 1)
    other.online.counts(START)
    if other.position < later:
        other.fold([(later, START, batch_of(a_hit(0)))])


@settings(max_examples=150, deadline=None)
@given(log=logs, chance=chances)
def test_the_store_is_told_the_same_hits(log: Log, chance: Random) -> None:
    one, other = both()
    pairs = [(one.fold(run(*part)), other.fold(run(*part))) for part in cuts(log, chance)]
    columns = hit_columns([each for each, _ in pairs])
    entries = [each.entries for _, each in pairs]
    everything = columns_between(entries, tuple(columns), ALL_DAYS)
    assert as_stored(everything) == as_stored(columns)
    days = columns["day"]
    if not days:
        return
    for begin, end in months(min(days), max(days)):
        of_month = {
            name: [value for value, day in zip(values, days, strict=True) if begin <= day < end]
            for name, values in columns.items()
        }
        native = columns_between(entries, tuple(columns), (begin, end))
        assert len(native["idx"]) == len(of_month["idx"])
        if of_month["idx"]:
            assert as_stored(native) == as_stored(of_month)


@pytest.mark.parametrize("distinct", [1, 255, 256, 257, 65_536, 65_600])
def test_a_column_of_many_distinct_texts_has_wider_indices(distinct: int) -> None:
    one, other = both()
    hits = [a_hit(n, visitor=n + 1, source=f"nguồn-{n % distinct}") for n in range(distinct + 9)]
    batches = [
        (at(n), batch_of(*hits[n : n + batch.MAX_HITS]))
        for n in range(0, len(hits), batch.MAX_HITS)
    ]
    expected = hit_columns([one.fold(run(*batches))])
    folded = other.fold(run(*batches))
    native = columns_between([folded.entries], ("source", "path", "at"), ALL_DAYS)
    assert as_stored(native) == as_stored({name: expected[name] for name in native})


def test_a_column_is_written_only_as_its_type() -> None:
    fold = both()[1].fold(run((at(0), batch_of(a_hit(0)))))
    for name, of_type in (("site", "UInt64"), ("day", "UInt16"), ("position", "String")):
        with pytest.raises(UnwritableError, match=name):
            KernelColumn([fold.entries], name).native(of_type, 0)


def test_more_numbers_of_views_than_are_remembered_are_told_alike() -> None:
    one, other = both()
    chance = Random(5)
    ids = list(range(1, MOST_IDS + 3 * batch.MAX_HITS))
    for position, begin in enumerate(range(0, len(ids), batch.MAX_HITS)):
        some = [*ids[begin : begin + batch.MAX_HITS - 2], ids[begin], chance.choice(ids)]
        part = run((at(0, position), batch_of(*(a_hit(0, view_id=number) for number in some))))
        assert one.fold(part).repeated == other.fold(part).repeated


def test_an_entry_that_comes_too_late_changes_nothing() -> None:
    _, fold = both()
    fold.fold(run((at(5), batch_of(a_hit(0)))))
    before = fold.pack()
    for where in (at(5), at(4)):
        with pytest.raises(ValueError, match="was folded before"):
            fold.fold(run((where, batch_of(a_hit(0)))))
    assert fold.pack() == before


def test_a_fold_that_nobody_has_any_more_gives_its_memory_back_at_once() -> None:
    fold = both()[1]
    folded = fold.fold(run((at(0), batch_of(a_hit(0)))))
    assert fold.online.counts(START) == {"mytho": 1}
    gone: list[weakref.ref[Any]] = [weakref.ref(each) for each in (fold, folded, folded.entries)]
    gc.disable()
    try:
        del fold, folded
        assert [each() for each in gone] == [None, None, None]
    finally:
        gc.enable()


def test_a_library_that_is_loaded_again_leaves_folds_as_they_are(tmp_path: Path) -> None:
    program("cc", "gcc", "clang")
    path = compile_library(tmp_path / "fold.so")
    fold = KernelFold(Library(path), 0)
    hits = [a_hit(0, visitor=number, view_id=number) for number in range(1, 400)]
    fold.fold(run((at(0), batch_of(*hits))))
    Library(path)
    again = fold.fold(run((at(1), batch_of(*hits))))
    assert (again.repeated, len(again)) == (len(hits), 0)
    assert fold.online.counts(START) == {"mytho": len(hits)}


def test_without_a_compiler_the_fold_is_that_in_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompilerError, match="no compiler"):
        compile_library(tmp_path / "fold.so")
    monkeypatch.setattr(library.load, "__defaults__", (tmp_path / "fold.so",))
    assert choose("auto").name == "python"
    with pytest.raises(KernelError, match="not compiled"):
        choose("c")


def test_a_library_of_other_sources_is_not_used(tmp_path: Path) -> None:
    program("cc", "gcc", "clang")
    compiled = compile_library(tmp_path / "fold.so")
    assert choose("python").name == "python"
    assert Library(compiled).source().decode() == source_digest()
    other = tmp_path / "other.so"
    other.write_bytes(compiled.read_bytes().replace(source_digest().encode(), b"0" * 32))
    with pytest.raises(KernelError, match="other sources"):
        Library(other)
    none = tmp_path / "none"
    none.write_bytes(b"no library")
    with pytest.raises(KernelError, match="none"):
        Library(none)


def damaged(payload: bytes, chance: Random) -> bytes:
    changed = bytearray(payload)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(changed) or 1)
        match chance.randrange(4):
            case 0:
                changed[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[place : place + chance.randint(1, 4)]
            case 2:
                changed[place:place] = chance.randbytes(chance.randint(1, 4))
            case _:
                changed[place:place] = changed[place // 2 : place]
    return bytes(changed)


@settings(max_examples=600, deadline=None)
@given(log=logs, damage=st.integers(0, (1 << 32) - 1))
def test_what_python_refuses_is_refused_and_what_it_reads_is_read_alike(
    log: Log, damage: int
) -> None:
    hits = list(log[0][1].hits())
    assert_read_alike(damaged(encode(hits), Random(damage)), len(hits))


def assert_read_alike(payload: bytes, hits: int) -> None:
    entries = KernelEntries(kernel())
    expected, refusal = read_by_python(payload, hits)
    if expected is None:
        with pytest.raises(BatchError) as refused:
            entries.add(1, START, payload, hits, batch.SCHEMA_VERSION)
        assert (str(refused.value), len(entries), entries.hits()) == (refusal, 0, 0)
    else:
        entries.add(1, START, payload, hits, batch.SCHEMA_VERSION)
        assert entries.batch() == expected


def read_by_python(payload: bytes, hits: int) -> tuple[Batch | None, str]:
    try:
        return batch.decode(payload, hits=hits), ""
    except BatchError as error:
        return None, str(error)


def wire(**changed: object) -> list[object]:
    """The columns of a batch of two hits, in the order of the format."""
    columns: dict[str, object] = {
        "base": START, "strings": ["mytho", "/", ""], "site": [0, 0], "path": [1, 1], "at": [0, 5],
        "day": [DAY, DAY], "visitor": [1, 2], "visit": [0, 0], "bot": [0, 1], "host": [2, 2],
        "source": [2, 2], "device": [2, 2], "browser": [2, 2], "os": [2, 2], "country": [2, 2],
    }  # fmt: skip
    return list({**columns, **changed}.values())


@pytest.mark.parametrize(
    "value",
    [
        wire(),
        [*wire(), [7, 8]],
        [*wire(), [], [1, 2]],
        [*wire(), [7, 8], [], [], [], [], [], [], [2, 1]],
        [*wire(), [7, 8], [], [], [], [], [], [], [2, 1], "of a later version"],
        wire(at=[0, -START]),
        wire(at=[0, -START - 1]),
        wire(base=-1),
        wire(base=(1 << 42) - 6),
        wire(base=(1 << 42) - 5),
        wire(base=(1 << 63) + 5, at=[-(1 << 63), -(1 << 63)]),
        wire(base=-(1 << 63), at=[(1 << 63) + 1, (1 << 63) + 2]),
        wire(day=[0, (1 << 16) - 1]),
        wire(day=[0, 1 << 16]),
        wire(visitor=[(1 << 64) - 1, 0]),
        wire(visitor=[1, -1]),
        wire(visit=[2, 3]),
        wire(bot=[0, 2]),
        wire(bot=[0, True]),
        wire(bot=[0, 1.0]),
        wire(bot=[0, None]),
        wire(site=[0, 2]),
        wire(path=[2, 0]),
        wire(host=[2, 3]),
        wire(host=[2, -1]),
        wire(host=[2]),
        wire(strings=["mytho", "/", "\0"]),
        wire(strings=["mytho", b"/", ""]),
        wire(strings=["mytho", "/", "mytho"]),
        wire(site=[]),
        wire()[:14],
        {},
        [],
        None,
    ],
    ids=str,
)
def test_batches_at_the_edges_are_read_alike(value: object) -> None:
    assert_read_alike(msgspec.msgpack.encode(value), 2)


@pytest.mark.parametrize(
    "text",
    [
        "đường".encode(), "𠮷".encode(), b"\xed\x9f\xbf", b"\xed\xa0\x80", b"\xc0\x80",
        b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\xa0\x80", b"\xf0\x8f\xbf\xbf",
        b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xff", b"\xc3", b"\xe1\x80",
        b"12345678\xff", b"1234567\xc3\xa9", b"\xef\xbb\xbf",
    ],
    ids=repr,
)  # fmt: skip
def test_texts_are_taken_where_python_takes_them(text: bytes) -> None:
    payload = msgspec.msgpack.encode(wire(strings=["mytho", "/", "@" * len(text)]))
    assert_read_alike(payload.replace(b"@" * len(text), text), 2)


def test_what_is_written_after_a_batch_is_refused() -> None:
    assert_read_alike(msgspec.msgpack.encode(wire()) + b"\0", 2)
    assert_read_alike(msgspec.msgpack.encode(wire()), 3)
    assert_read_alike(b"", 2)
