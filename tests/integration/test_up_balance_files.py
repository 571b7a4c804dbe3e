"""`luot balance import` and `reverse` of a file, and what is there after kill -9 in the middle."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.patience import rounds
from tests.servers.up import LUOT, READY_SECONDS, Up, environ, luot

LINES = 5_000
ACTIONS = {"import": "balance.import", "reverse": "balance.reverse"}


def command(up: Up, *arguments: str) -> tuple[str, ...]:
    why = () if arguments[0] == "list" else ("--reason", "DNN, Lượt xem")
    return ("balance", *arguments, *why, "--data", str(up.data))


def actions(up: Up, token: str) -> list[str]:
    answer = up.http.get("/api/admin/audit", headers={"Authorization": f"Bearer {token}"})
    return [one["action"] for one in answer.json()["entries"]]


def killed_in_the_middle(up: Up, *arguments: str) -> Up:
    """Give a command, and kill Luot as soon as the change is in the audit log, before it is made.

    Returns a Luot that was started again on the same data.
    """
    token = (up.data / "token").read_text().strip()
    before = len(actions(up, token))
    given = [*LUOT, *command(up, *arguments)]
    with subprocess.Popen(
        given, env=environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        for _ in rounds(0.002):
            if len(actions(up, token)) > before:
                break
            time.sleep(0.002)
        else:
            raise AssertionError("the change never was in the audit log")
        up.process.kill()
        up.end()
        process.wait(READY_SECONDS)
    again = Up(up.data)
    assert ACTIONS[arguments[0]] in actions(again, token)
    return again


def ledger(up: Up) -> list[tuple[int, int]]:
    listed = luot(*command(up, "list", "demo"), "--json")
    entries: list[dict[str, Any]] = json.loads(listed.stdout)
    return [(one["lines"], one["views"]) for one in entries]


def titles_of_excel_are_written(up: Up, folder: Path) -> None:
    """`luot titles import` takes what Excel saves as "Unicode Text", as the dashboard does."""
    file = folder / "titles.txt"
    file.write_bytes("Đường dẫn\tTiêu đề\r\n/bai-1\tLịch, tuần 48; tháng 11\r\n".encode("utf-16"))
    done = luot("titles", "import", "demo", str(file), "--data", str(up.data))
    assert (done.returncode, done.stdout) == (0, "1 written, 0 already known\n"), done.stderr
    listed = luot("titles", "list", "demo", "--json", "--data", str(up.data))
    [title] = json.loads(listed.stdout)["titles"]
    assert (title["path"], title["title"]) == ("/bai-1", "Lịch, tuần 48; tháng 11")


def shows(up: Up, expected: list[int]) -> None:
    """Wait for the views of three pages."""
    paths = ["/bai-1", "/bai-2500", f"/bai-{LINES}"]
    found: list[int] = []
    for _ in rounds(0.05):
        answer = up.counter(path=paths)["paths"]
        if (found := [answer[path]["views"] for path in paths]) == expected:
            return
        time.sleep(0.05)
    raise AssertionError(f"the pages show {found}, expected {expected}")


def test_a_file_is_entered_once_and_taken_back_whole_whatever_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "bai.csv"
    rows = "".join(f"/bai-{number};{number + 1000:_}\n" for number in range(1, LINES + 1))
    file.write_text("\ufeffĐường dẫn;Lượt xem\n" + rows.replace("_", "."))
    total = sum(range(1001, LINES + 1001))
    full, nothing = [1001, 3500, LINES + 1000], [0, 0, 0]

    up = Up(tmp_path / "data")
    try:
        titles_of_excel_are_written(up, tmp_path)
        tried = luot(*command(up, "import", "demo", str(file)), "--dry-run")
        assert (tried.returncode, tried.stderr) == (0, "")
        assert f"CSV, semicolon: {LINES} lines; {LINES} entries" in tried.stdout
        assert "dry run: nothing was entered" in tried.stdout
        assert ledger(up) == []

        up = killed_in_the_middle(up, "import", "demo", str(file))
        again = luot(*command(up, "import", "demo", str(file)), "--json")
        assert again.returncode == 0, again.stderr
        name = json.loads(again.stdout)["id"]
        assert ledger(up) == [(LINES, total)]
        shows(up, full)
        twice = luot(*command(up, "import", "demo", str(file)))
        assert "nothing changed" in twice.stdout

        up = killed_in_the_middle(up, "reverse", "demo", name)
        assert luot(*command(up, "reverse", "demo", name)).returncode == 0
        assert ledger(up) == [(LINES, total), (LINES, -total)]
        shows(up, nothing)
        assert "nothing changed" in luot(*command(up, "reverse", "demo", name)).stdout

        once_more = luot(*command(up, "import", "demo", str(file)))
        assert f"entered as {name}:2" in once_more.stdout
        assert ledger(up) == [(LINES, total), (LINES, -total), (LINES, total)]
        shows(up, full)

        file.write_text("path,views\n/a,1\n/b,x\n")
        wrong = luot(*command(up, "import", "demo", str(file)))
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert "line 3" in wrong.stderr
        looked = luot(*command(up, "import", "demo", str(file)), "--dry-run")
        assert (looked.returncode, "line 3 is refused" in looked.stdout) == (2, True)
    finally:
        assert up.end() == 0
