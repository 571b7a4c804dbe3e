"""`luot up`: an import is undone from the command line, also after a kill, and made again."""

import json
import signal
from pathlib import Path

from tests.integration.access_log import COMPOSED, lines_of
from tests.integration.imports import world
from tests.servers.up import Up, luot

ZONE = "Asia/Ho_Chi_Minh"


def test_an_import_goes_as_a_whole_and_comes_again(tmp_path: Path) -> None:
    total = world.count(lines_of(COMPOSED), ZONE).total
    data = tmp_path / "data"
    up = Up(data)
    up.view()
    up.wait_for_total(1)
    command = ("import", str(COMPOSED), "--site", "demo", "--host", "demo.example")
    undo = ("imports", "undo", "access.log", "--site", "demo", "--data", str(data))
    for _ in range(2):
        done = luot(*command, "--data", str(data))
        assert done.returncode == 0, done.stderr
        up.wait_for_total(1 + total)
        asked = luot(*undo)
        assert (asked.returncode, f"-{total:,} views" in asked.stdout) == (2, True)
        assert f"{1 + total:,} → 1" in asked.stdout
        assert "give --yes" in asked.stderr
        assert up.counter()["total"] == 1 + total
        done = luot(*undo, "--yes")
        assert (done.returncode, "may be imported again" in done.stdout) == (0, True), done.stderr
        up.wait_for_total(1)
        up.end(signal.SIGKILL)
        up = Up(data)
        up.wait_for_total(1)
        assert luot(*undo, "--yes").returncode == 0
    listed = luot("imports", "--site", "demo", "--data", str(data), "--json")
    (one,) = json.loads(listed.stdout)
    # Downloads are among them, too.
    assert one["hits"] >= total
    assert (one["state"], one["can_be_undone"]) == ("undone", False)
    assert up.end() == 0
