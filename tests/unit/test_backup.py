"""What a rewind plans, what moments mean, and a backup whose source breaks off."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.backup.folder import MANIFEST, BackupError, check, read_manifest
from services.backup.frames import Message, frame, messages
from services.backup.moment import RewindTarget, parse
from services.backup.rewind import WARM_UP_MS, going_on, plan
from services.backup.run import save
from services.log.interface import Extent
from services.log.open import open_log
from services.store.dumps.portable import Begin, End, Fingerprint, Piece

HOUR = 3_600_000
START = 1_790_000_000_000
POSITIONS = open_log("redis://nowhere").positions
"""Times of the log on Redis; nothing is connected for them."""


def at(hours: float) -> int:
    return int(START + hours * HOUR) << 20


def log(committed: float, *, trimmed: bool = False, partition: int = 0) -> Extent:
    """Ten hours of log, read up to some hour."""
    return Extent(partition, at(0), at(10) + 1, 1000, trimmed, at(committed))


async def test_a_log_that_is_whole_is_folded_from_its_beginning() -> None:
    (step,) = await plan(POSITIONS, [log(10)])
    assert (step.to, step.exact, step.missing, step.entries) == (0, True, False, 1000)


async def test_the_beginning_of_a_trimmed_log_only_tells_who_is_in_the_middle_of_a_visit() -> None:
    (step,) = await plan(POSITIONS, [log(10, trimmed=True)])
    assert step.to == at(0) + (WARM_UP_MS << 20)
    assert step.exact
    (step,) = await plan(POSITIONS, [log(10, trimmed=True)], RewindTarget(position=at(0.5)))
    assert (step.to, step.exact, step.missing) == (at(0.5), False, False)
    (step,) = await plan(POSITIONS, [log(10, trimmed=True)], RewindTarget(position=at(-1)))
    assert (step.to, step.missing) == (at(-1), True)


async def test_a_rewind_goes_to_the_time_that_is_asked_for_and_never_forward() -> None:
    (step,) = await plan(POSITIONS, [log(8)], RewindTarget(position=at(5)))
    assert (step.to, step.entries) == (at(5), 500)
    with pytest.raises(BackupError, match=r"partition 3 is read up to .* would leave hits out"):
        await plan(POSITIONS, [log(8, partition=3)], RewindTarget(position=at(9)))
    (step,) = await plan(POSITIONS, [log(11)], RewindTarget(position=at(12)))
    assert step.to == at(11)


async def test_a_partition_that_was_never_read_is_left_as_it_is() -> None:
    (step,) = await plan(POSITIONS, [Extent(0, at(0), at(1), 10, False, None)])
    assert (step.to, step.committed) == (None, None)


async def test_after_a_restore_it_is_told_whether_the_log_still_holds_what_came_later() -> None:
    assert not (await going_on(POSITIONS, log(3, trimmed=True))).missing
    assert (await going_on(POSITIONS, log(-3, trimmed=True))).missing
    assert not (await going_on(POSITIONS, log(-3))).missing
    assert not (await going_on(POSITIONS, Extent(0, None, 0, 0, False, at(3)))).missing


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-22T03:00+07:00", 1_795_291_200_000),
        ("2026-11-21T20:00Z", 1_795_291_200_000),
        ("90m", START - 90 * 60_000),
        ("2d", START - 48 * HOUR),
        ("0s", START),
    ],
)
def test_a_moment_may_be_a_time_or_an_age(text: str, ms: int) -> None:
    assert parse(text, lambda: START / 1000) == RewindTarget(ms)


def test_a_moment_may_be_a_position() -> None:
    assert parse("123456789") == RewindTarget(position=123_456_789)


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-11-22T03:00", "", "-5m", "5 m", "1e3", str(1 << 63), "9" * 5000]
)
def test_a_moment_that_could_mean_several_things_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time with its offset"):
        parse(text)


SENT: list[Message] = [
    Begin(3),
    Piece("sites", "sites", ("slug",), 2, b'["a"]\n["b"]\n'),
    Piece("sites", "sites", ("slug",), 1, b'["c"]\n'),
    Piece("users", "users", ("name",), 0, b""),
    End(1, 8, {0: 5}),
]


async def sent(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_backup_over_http_arrives_in_whatever_pieces(tmp_path: Path, size: int) -> None:
    body = b"".join(frame(message) for message in SENT)
    rows: list[int] = []
    manifest = await save(messages(sent(body, size)), tmp_path / "b", rows.append, rows.append)
    assert read_manifest(tmp_path / "b") == manifest
    assert [(file.name, file.rows) for file in manifest.files] == [
        ("sites.jsonl.gz", 3),
        ("users.jsonl.gz", 0),
    ]
    assert (manifest.positions, rows) == ({0: 5}, [3, 2, 1, 0])
    check(tmp_path / "b", manifest, rows.append)


async def test_a_backup_that_breaks_off_is_none(tmp_path: Path) -> None:
    whole = b"".join(frame(message) for message in SENT)
    for end in (0, 3, len(whole) // 2, len(whole) - 1):
        folder = tmp_path / str(end)
        with pytest.raises(BackupError, match="ended early"):
            await save(messages(sent(whole[:end], 50)), folder, lambda _: None, lambda _: None)
        assert not (folder / MANIFEST).exists()


async def test_something_else_than_a_backup_is_refused(tmp_path: Path) -> None:
    body = b"\0\0\0\x05hello" + b"<html>"
    with pytest.raises(BackupError, match="sends something else"):
        await save(messages(sent(body, 50)), tmp_path / "b", lambda _: None, lambda _: None)


def test_a_fingerprint_is_the_same_in_any_order_and_differs_for_any_other_row() -> None:
    def of(*lines: bytes) -> str:
        fingerprint = Fingerprint()
        for line in lines:
            fingerprint.add(line)
        return str(fingerprint)

    assert of(b"[1]\n[2]\n", b"[3]\n") == of(b"[3]\n[2]\n[1]\n")
    assert len({of(b"[1]\n"), of(b"[1]\n[1]\n"), of(b"[2]\n"), of()}) == 4
