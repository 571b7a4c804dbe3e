"""Which backups go, when the next one is due, and what of a folder is touched at all."""

import json
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.backup.folder import BackupError
from services.backup.rotation import Kept, Rule, superfluous, wait
from services.backup.shelf import Shelf, note_verified

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)  # a Friday
DAY = timedelta(days=1)


def kept(ago: timedelta, *, verified: bool = False) -> Kept:
    return Kept(NOW - ago, f"{ago}", verified)


def left(backups: list[Kept], rule: Rule) -> list[timedelta]:
    gone = superfluous(backups, rule, NOW)
    return sorted(NOW - backup.at for backup in backups if backup not in gone)


def test_the_last_backup_of_each_of_the_last_days_and_weeks_is_kept() -> None:
    daily = [kept(number * DAY) for number in range(60)]
    assert left(daily, Rule(7)) == [number * DAY for number in range(7)]
    # The last ones of the weeks before are those of their Sundays.
    weekly = [number * DAY for number in (0, 1, 2, 3, 4, 5, 6, 12, 19)]
    assert left(daily, Rule(7, 4)) == weekly
    hourly = [kept(timedelta(hours=number)) for number in range(30)]
    assert left(hourly, Rule(2)) == [timedelta(0), timedelta(hours=13)]


def test_days_without_a_backup_cost_none() -> None:
    paused = [kept(number * DAY) for number in (0, 100, 200, 300)]
    assert left(paused, Rule(3)) == [0 * DAY, 100 * DAY, 200 * DAY]


def test_the_newest_that_was_verified_stays_however_old_it_is() -> None:
    backups = [kept(number * DAY, verified=number in (50, 55)) for number in range(60)]
    assert left(backups, Rule(1)) == [0 * DAY, 50 * DAY]


def test_nothing_goes_that_seems_to_come_from_the_future_and_none_counts_for_the_next() -> None:
    ahead = [kept(-number * DAY) for number in range(1, 20)]
    assert left([*ahead, kept(DAY), kept(2 * DAY)], Rule(1)) == sorted(
        [*(-number * DAY for number in range(1, 20)), DAY]
    )
    assert wait(ahead, DAY, NOW) == timedelta(0)
    assert wait([*ahead, kept(DAY / 4)], DAY, NOW) == DAY * 3 / 4
    assert wait([kept(3 * DAY)], DAY, NOW) == timedelta(0)
    assert wait([], DAY, NOW) == timedelta(0)


def test_whatever_there_is_the_newest_stays_and_no_more_is_kept_than_asked_for() -> None:
    draw = random.Random(7)
    for _ in range(500):
        backups = [
            kept(timedelta(minutes=draw.randrange(200_000)), verified=draw.random() < 0.2)
            for _ in range(draw.randrange(1, 40))
        ]
        rule = Rule(draw.randrange(1, 9), draw.randrange(5))
        gone = superfluous(backups, rule, NOW)
        stay = [backup for backup in backups if backup not in gone]
        assert max(backups) in stay
        # The newest that was verified comes on top.
        assert len(stay) <= rule.days + rule.weeks + 1
        assert superfluous(stay, rule, NOW) == []


def put(folder: Path, name: str, *files: str, complete: bool = True) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    for file in files:
        (path / file).write_text("x")
    if complete:
        times = {"begun_at": NOW.isoformat(), "ended_at": NOW.isoformat()}
        numbers = {"format": 1, "schema": 6, "partitions": 8}
        manifest = {**times, **numbers, "luot": "0", "positions": {}, "files": []}
        (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".luot-backup.lock"}


@pytest.fixture
def clock() -> Callable[[], datetime]:
    return lambda: NOW


def test_only_complete_backups_of_ours_are_removed(
    tmp_path: Path, clock: Callable[[], datetime]
) -> None:
    shelf = Shelf(tmp_path, clock)
    put(tmp_path, "luot-20261126T000000Z", "counters.jsonl.gz")
    put(tmp_path, "luot-20261101T000000Z", "counters.jsonl.gz")
    # One that somebody put something into, one that is not complete, and what is not ours.
    put(tmp_path, "luot-20261102T000000Z", "counters.jsonl.gz", "notes.txt")
    put(tmp_path, "luot-20261103T000000Z", "counters.jsonl.gz", complete=False)
    put(tmp_path, "2026-11-01", "counters.jsonl.gz")
    put(tmp_path / "elsewhere", "luot-20261104T000000Z", "counters.jsonl.gz")
    (tmp_path / "luot-20261104T000000Z").symlink_to(tmp_path / "elsewhere/luot-20261104T000000Z")
    (tmp_path / "luot-20261105T000000Z").write_text("a file")
    before = names(tmp_path)

    gone, stay = shelf.rotate(Rule(1))
    assert [path.name for path in gone] == ["luot-20261101T000000Z"]
    assert [path.name for path in stay] == ["luot-20261102T000000Z"]
    assert before - names(tmp_path) == {"luot-20261101T000000Z"}
    assert names(tmp_path / "luot-20261102T000000Z") >= {"notes.txt", "counters.jsonl.gz"}
    assert names(tmp_path / "elsewhere/luot-20261104T000000Z") >= {"counters.jsonl.gz"}


def test_what_a_killed_backup_left_goes_and_nothing_else_with_it(
    tmp_path: Path, clock: Callable[[], datetime]
) -> None:
    put(tmp_path, "luot-20261126T000000Z.partial", "hits-2026-11.jsonl.gz", complete=False)
    put(tmp_path, "luot-20261125T000000Z.partial", "mine.txt", complete=False)
    put(tmp_path, "other.partial", complete=False)
    with Shelf(tmp_path, clock).held():
        path = Shelf(tmp_path, clock).begin()
    assert path.name == "luot-20261127T120000Z.partial"
    assert names(tmp_path) == {"luot-20261125T000000Z.partial", "other.partial"}


def test_a_clock_that_was_set_back_overwrites_no_backup(
    tmp_path: Path, clock: Callable[[], datetime]
) -> None:
    put(tmp_path, "luot-20261127T120000Z")
    put(tmp_path, "luot-20261127T120001Z")
    assert Shelf(tmp_path, clock).begin().name == "luot-20261127T120002Z.partial"


def test_the_newest_is_the_last_complete_one(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="holds no backup of Luot"):
        Shelf(tmp_path).newest()
    older = put(tmp_path, "luot-20261126T000000Z")
    put(tmp_path, "luot-20261127T000000Z", complete=False)
    assert Shelf(tmp_path).newest() == older
    assert not Shelf(tmp_path).backups()[0].verified
    note_verified(older, NOW)
    assert Shelf(tmp_path).backups()[0].verified


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with (
        Shelf(tmp_path).held(),
        pytest.raises(BackupError, match="another backup is being written into"),
        Shelf(tmp_path).held(),
    ):
        pass
    with Shelf(tmp_path).held():
        pass


def test_a_backup_that_is_not_good_is_put_aside_and_the_one_before_goes(tmp_path: Path) -> None:
    bad = put(tmp_path, "luot-20261126T000000Z", "counters.jsonl.gz")
    worse = put(tmp_path, "luot-20261127T000000Z")
    Shelf(tmp_path).condemn(bad)
    assert Shelf(tmp_path).condemn(worse).name == "luot-20261127T000000Z.bad"
    assert names(tmp_path) == {"luot-20261127T000000Z.bad"}
    assert Shelf(tmp_path).backups() == []


def test_a_disk_without_room_for_another_backup_is_told_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "luot-20261126T000000Z", "counters.jsonl.gz")
    Shelf(tmp_path).room()
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((*real[:4], 0, *real[5:10]))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(BackupError, match="has 0 bytes free, and the newest backup in it takes"):
        Shelf(tmp_path).room()
