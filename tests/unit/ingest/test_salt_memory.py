"""Salts outlive a process in the machine's memory, and are on no disk."""

import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingest.salt_memory import SaltMemory, default_folder, is_in_memory
from tests.require import missing

LOG = "redis://127.0.0.1:6379/0"


@pytest.fixture
def folder() -> Iterator[Path]:
    if not is_in_memory(Path("/dev/shm")):
        missing("a file system in memory at /dev/shm")
    folder = default_folder() / f"test-{secrets.token_hex(4)}"
    yield folder
    shutil.rmtree(folder)


def test_the_first_salt_that_is_offered_is_kept(folder: Path) -> None:
    assert SaltMemory(folder, LOG).offer("mytho", 1, b"first") == b"first"
    assert SaltMemory(folder, LOG).offer("mytho", 1, b"second") == b"first"
    assert SaltMemory(folder, LOG).get("mytho", 1) == b"first"
    assert SaltMemory(folder, LOG).get("mytho", 2) is None


def test_the_salt_that_redis_holds_replaces_the_one_kept(folder: Path) -> None:
    memory = SaltMemory(folder, LOG)
    memory.offer("mytho", 1, b"own")
    memory.put("mytho", 1, b"shared")
    assert SaltMemory(folder, LOG).get("mytho", 1) == b"shared"


def test_two_logs_share_nothing(folder: Path) -> None:
    SaltMemory(folder, LOG).put("mytho", 1, b"salt")
    assert SaltMemory(folder, "redis://127.0.0.1:6380/0").get("mytho", 1) is None


def test_salts_of_days_that_are_over_are_deleted(folder: Path) -> None:
    memory = SaltMemory(folder, LOG)
    for day in (9, 10, 11):
        memory.put("mytho", day, b"salt")
    memory.forget(10)
    assert [memory.get("mytho", day) for day in (9, 10, 11)] == [None, b"salt", b"salt"]
    assert len(list(folder.glob("*/*"))) == 2


def test_nobody_else_can_read_them(folder: Path) -> None:
    SaltMemory(folder, LOG).put("mytho", 1, b"salt")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*/*")}
    assert modes == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*")} == {0o700}
    (name,) = (path.name for path in folder.glob("*"))
    assert "127" not in name


def test_a_folder_on_a_disk_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if is_in_memory(tmp_path):
        pytest.skip("temporary folders of this machine are in memory")
    memory = SaltMemory(tmp_path / "salts", LOG)
    memory.put("mytho", 1, b"salt")
    assert memory.offer("mytho", 1, b"own") == b"own"
    assert memory.get("mytho", 1) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert "not in memory" in caplog.text


def test_a_folder_that_was_cleaned_away_is_made_again(folder: Path) -> None:
    memory = SaltMemory(folder, LOG)
    memory.offer("mytho", 1, b"before")
    shutil.rmtree(folder)
    memory.forget(1)
    assert memory.get("mytho", 1) is None
    assert memory.offer("mytho", 1, b"after") == b"after"
    assert SaltMemory(folder, LOG).get("mytho", 1) == b"after"
