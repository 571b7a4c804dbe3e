"""`luot tail` and `luot import` against a running `luot up`, as a person uses them."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.imports.world import line
from tests.patience import PATIENCE_SECONDS
from tests.servers.up import LUOT, Up, environ, luot


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("tail") / "data")
    yield running
    assert running.end() == 0


class Tail:
    """A running `luot tail`."""

    def __init__(self, up: Up, *options: str) -> None:
        self.process = subprocess.Popen(
            [*LUOT, "tail", "--data", str(up.data), *options],
            env=environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background has ^C ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def next(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


def test_hits_pass_decoded_and_without_an_address(up: Up) -> None:
    up.view("/demo/mot", address="203.0.113.77")
    follows = Tail(up, "--since", "1h", "--json")
    hit: dict[str, Any] = json.loads(follows.next())
    assert "203.0.113.77" not in json.dumps(hit)
    assert (hit["site"], hit["path"], hit["bot"], hit["visit"]) == (
        "demo",
        "/demo/mot",
        False,
        None,
    )
    assert (hit["device"], hit["browser"], hit["os"]) == ("desktop", "Firefox", "Linux")
    assert hit["time"].endswith("+07:00")
    up.view("/demo/hai", agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    hit = json.loads(follows.next())
    assert (hit["path"], hit["bot"]) == ("/demo/hai", True)
    assert follows.end() == (0, "")


def test_a_pipe_gets_plain_lines_and_may_close(up: Up) -> None:
    up.view("/demo/ba")
    follows = Tail(up, "--since", "1h", "--site", "demo")
    plain = follows.next()
    assert "\x1b" not in plain
    assert plain.split()[2:5] == ["demo", "view", "/demo/mot"]
    assert follows.process.stdout is not None
    follows.process.stdout.close()
    up.view("/demo/bon")
    up.view("/demo/nam")
    _, errors = follows.process.communicate(timeout=60)
    assert (follows.process.returncode, errors) == (0, "")
    up.wait_for_total(4)  # a test below reads the total and expects it to stand still


def test_what_cannot_be_followed_is_named(up: Up) -> None:
    data = ("--data", str(up.data))
    for arguments, named in (
        (("--site", "nobody"), "'nobody' is not a site"),
        (("--since", "yesterday"), "--since 'yesterday' is not an age"),
    ):
        refused = luot("tail", *arguments, *data)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert named in " ".join(refused.stderr.split())


def test_only_so_many_may_follow(up: Up) -> None:
    token = (up.data / "token").read_text().strip()
    owner = {"Authorization": f"Bearer {token}"}
    viewers = []
    for number in range(5):
        asked = {"role": "viewer", "sites": ["demo"], "note": f"follower {number}"}
        made = up.http.post("/api/admin/tokens", json=asked, headers=owner)
        viewers.append({"Authorization": f"Bearer {made.json()['token']}"})

    def follow(streams: ExitStack, head: dict[str, str]) -> httpx.Response:
        stream = up.http.stream("GET", "/api/admin/tail", headers=head)
        return streams.enter_context(stream)

    with ExitStack() as streams:
        codes = [follow(streams, head).status_code for head in viewers[:4] for _ in range(3)]
        assert codes == [200, 200, 429] * 4, "two each"
        last = [follow(streams, head) for head in (viewers[4], owner, viewers[4], owner)]
        assert [answer.status_code for answer in last] == [200, 200, 429, 429], "ten in all"
        assert int(last[-1].headers["retry-after"]) > 0
    with ExitStack() as streams:
        # Who went away makes room; the server notices within a second.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := follow(streams, viewers[0])).status_code != 200:
            assert answer.status_code == 429
            assert time.monotonic() < deadline


def test_a_log_of_years_counts_on_its_own_days_and_live_visitors_go_on(
    up: Up, tmp_path: Path
) -> None:
    before = up.settled_total()
    lines = [
        line(f"{day:02}/{month}/{year}:23:59:50 +0700", f"/bai-{day}")
        for year in (1999, 2015, 2024)
        for month in ("Jan", "Feb", "Dec")
        for day in (1, 28)
    ]
    log = tmp_path / "years.log"
    log.write_text("\n".join(["not a line", *lines, line("01/Jan/2030:00:00:00 +0700")]) + "\n")
    file = "/van-ban/qd-12.pdf"
    with log.open("a") as more:
        more.writelines(line(f"01/Mar/2024:10:00:{n:02} +0700", file) + "\n" for n in range(3))
    arguments = ("import", str(log), "--site", "demo", "--data", str(up.data))
    dry = luot(*arguments, "--dry-run")
    assert "would be imported" in dry.stdout
    assert up.counter()["total"] == before
    done = luot(*arguments)
    assert (done.returncode, "line 1 cannot be read: 'not a line'" in done.stderr) == (0, True)
    assert "exists since" in done.stderr
    up.wait_for_total(before + len(lines))
    page = up.counter(path="/bai-28")["paths"]["/bai-28"]
    assert (page["views"], page["today"]) == (9, 0)
    # All of them were sent in one chunk, so all are counted by now.
    assert re.search(r"downloads\s+│\s+3\b", done.stdout)
    downloads = up.counter(download=file, path=file)
    assert downloads["downloads"][file] == {"downloads": 3, "today": 0}
    assert downloads["paths"][file]["views"] == 0
    assert "already imported" in luot(*arguments).stdout
    nothing = luot("import", str(tmp_path / "no.log"), "--site", "demo", "--data", str(up.data))
    assert (nothing.returncode, "no.log cannot be read" in nothing.stderr) == (2, True)
