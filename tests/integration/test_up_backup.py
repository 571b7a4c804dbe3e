"""Backup, restore, rewind and doctor where everything is one process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.up import Up, luot


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path / "data")
    yield running
    running.end()


def test_a_running_luot_is_backed_up_and_another_one_goes_on_from_there(
    up: Up, tmp_path: Path
) -> None:
    for number in range(5):
        up.view(address=f"192.0.2.{number}")
    up.wait_for_total(5)
    data, folder, other = str(up.data), str(tmp_path / "backup"), tmp_path / "other"

    checked = luot("doctor", "--data", data)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "✓ store: recount" in checked.stdout
    assert "✓ store: disk" in checked.stdout
    saved = luot("backup", folder, "--data", data)
    assert saved.returncode == 0, saved.stderr
    assert "rows in" in saved.stdout

    for command in (["restore", folder, "--replace", "--yes"], ["rewind", "--yes"]):
        refused = luot(*command, "--data", data)
        assert refused.returncode == 2
        assert "in use by another `luot up`" in refused.stderr

    restored = luot("restore", folder, "--data", str(other))
    assert restored.returncode == 0, restored.stderr
    second = Up(other)
    try:
        assert second.counter()["total"] == 5
        second.view(address="192.0.2.9")
        second.wait_for_total(6)
    finally:
        second.end()

    # Stopped, the folder itself can be read and sent back.
    again = luot("backup", str(tmp_path / "again"), "--data", str(other))
    assert again.returncode == 0, again.stderr
    rewound = luot("rewind", "--yes", "--data", str(other))
    assert rewound.returncode == 0, rewound.stderr
    assert "the beginning" in rewound.stdout
    third = Up(other)
    try:
        third.wait_for_total(6)
        assert luot("doctor", "--data", str(other)).returncode == 0
    finally:
        third.end()


def test_a_folder_that_is_none_of_luot_is_told(tmp_path: Path) -> None:
    refused = luot("backup", str(tmp_path / "backup"), "--data", str(tmp_path))
    assert refused.returncode == 2
    assert "expected the data folder of `luot up`" in refused.stderr
