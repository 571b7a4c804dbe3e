"""`luot up` as a person runs it: one command, one port, stopped and killed in every way."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import httpx
import pytest

from services.standalone.demo.portals import ALL
from tests.patience import PATIENCE_SECONDS
from tests.servers.up import BROWSER, COUNTED_SECONDS, READY_SECONDS, Up, luot


def gone(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up") / "data")
    yield running
    assert running.end() == 0


def test_a_view_counts_and_is_still_there_after_ctrl_c_and_a_new_start(tmp_path: Path) -> None:
    first = Up(tmp_path)
    first.view()
    first.wait_for_total(1)
    valkey = first.valkey()
    assert first.end(signal.SIGINT) == 0
    assert gone(valkey)

    second = Up(tmp_path)
    try:
        assert second.counter()["total"] == 1
        second.view()
        second.wait_for_total(2)
        assert "Admin token" in "".join(first.output)
        assert "Admin token" not in "".join(second.output)
    finally:
        assert second.end(signal.SIGTERM) == 0


def test_a_killed_luot_loses_nothing_and_leaves_no_valkey_behind(tmp_path: Path) -> None:
    first = Up(tmp_path)
    valkey = first.valkey()
    for number in range(40):
        first.view(f"/demo/{number % 3}", f"192.0.2.{number}")
    first.end(signal.SIGKILL)
    assert gone(valkey)

    second = Up(tmp_path)
    try:
        second.wait_for_total(40)
        second.view()
        second.wait_for_total(41)
    finally:
        second.end()


def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(tmp_path: Path) -> None:
    first = Up(tmp_path)
    first.view()
    valkey = first.valkey()
    os.kill(valkey, signal.SIGSTOP)  # so that the clean stop cannot come to its end
    try:
        first.process.send_signal(signal.SIGINT)
        first.read_until("Stopping")
        assert first.end(signal.SIGINT) == 130
    finally:
        os.kill(valkey, signal.SIGCONT)
    assert gone(valkey)

    second = Up(tmp_path)
    try:
        second.wait_for_total(1)
    finally:
        second.end()


def test_the_end_of_valkey_ends_luot_with_one_line(tmp_path: Path) -> None:
    running = Up(tmp_path)
    os.kill(running.valkey(), signal.SIGKILL)
    running.read_until("the embedded Valkey has stopped: SIGKILL")
    assert running.process.wait(READY_SECONDS) == 2
    running.end()
    assert "Traceback" not in "".join(running.output)


def test_of_what_comes_with_the_engine_nothing_is_loaded_that_is_not_used(up: Up) -> None:
    loaded = Path(f"/proc/{up.process.pid}/maps").read_text()
    assert "chdb" in loaded
    assert not re.search(r"/(pyarrow|numpy|pandas)/", loaded)


def test_a_bot_does_not_count(up: Up) -> None:
    answer = up.http.post(
        "/api/event",
        json={"n": "pageview", "d": "demo", "u": f"{up.url}/demo"},
        headers={"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"},
    )
    assert (answer.status_code, answer.headers["X-Luot-Dropped"]) == (202, "bot")


def test_every_part_answers_on_the_one_port(up: Up) -> None:
    assert up.http.get("/healthz").json() == {"status": "ok"}
    assert up.http.get("/readyz").json() == {"status": "ok"}
    assert up.http.get("/hit.gif?d=demo&u=http://x.example/").headers["content-type"] == "image/gif"
    assert "pageview" in up.http.get("/counter.js").text
    metrics = up.http.get("/metrics").text
    for name in ("luot_hits_total", "luot_flush_seconds", "luot_number_reads_total"):
        assert name in metrics
    assert up.http.get("/").headers["location"] == "/demo"
    assert up.http.get("/nowhere").status_code == 404


def test_the_demo_portal_is_served_with_care(up: Up) -> None:
    page = up.http.get("/demo")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
    assert 'src="/counter.js" data-site="demo" data-local' in page.text
    again = up.http.get("/demo", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    style = up.http.get("/demo/static/mau.css")
    assert style.headers["cache-control"] == "public, max-age=3600"
    assert up.http.get("/demo/nowhere").status_code == 404
    assert up.http.post("/demo").status_code == 405


def test_every_link_of_the_demo_portal_leads_somewhere(up: Up) -> None:
    seen, todo = set(), {"/demo"}
    while todo:
        path = todo.pop()
        seen.add(path)
        answer = up.http.get(path, headers={"Referer": f"{up.url}/demo"})
        assert answer.status_code == 200, path
        if "text/html" in answer.headers["content-type"]:
            links = re.findall(r'(?:href|src|data-luot-views)="(/[^"#]*)', answer.text)
            todo |= {unescape(link) for link in links} - seen
    assert len([path for path in seen if "static" not in path]) > 40


def test_secrets_of_the_folder_are_for_their_owner_only(up: Up) -> None:
    for name in ("token", "url"):
        assert (up.data / name).stat().st_mode & 0o777 == 0o600
    assert up.data.stat().st_mode & 0o777 == 0o700


def test_sites_are_administered_from_the_command_line(up: Up) -> None:
    data = ("--data", str(up.data))
    added = luot("site", "add", "mytho", "--name", "Mỹ Tho", "--host", "mytho.example", *data)
    assert (added.returncode, added.stderr) == (0, "")
    assert "Mỹ Tho" in added.stdout
    assert "ingest now counts mytho" in added.stdout
    view = {"n": "pageview", "d": "mytho", "u": "https://foreign.example/"}
    hit = httpx.post(f"{up.url}/e", json=view)
    assert hit.headers["X-Luot-Dropped"] == "foreign_host", "it was said to be known"
    twice = luot("site", "add", "mytho", *data)
    assert twice.returncode == 2
    assert "'mytho' exists already" in twice.stderr
    edited = luot("site", "edit", "mytho", "--metric", "views", "--json", *data)
    assert json.loads(edited.stdout)["metric"] == "views"
    assert json.loads(edited.stdout)["hosts"] == ["mytho.example"]
    for name in ("mytho#downloads", "mytho?to=", "mytho/merge", "mytho/../mytho", ".."):
        for erase in ((), ("--erase",)):
            refused = luot("site", "remove", name, "--yes", *erase, *data)
            assert refused.returncode == 2
            assert re.search(
                rf"'{re.escape(name)}' is (not a name|not a site|no site)", refused.stderr
            )
    assert json.loads(luot("site", "edit", "mytho", "--name", "Mỹ Tho", "--json", *data).stdout)
    unasked = luot("site", "remove", "mytho", *data)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert luot("site", "remove", "mytho", "--yes", *data).returncode == 0
    listed = luot("site", "list", "--json", *data)
    slugs = [site["slug"] for site in json.loads(listed.stdout)]
    assert slugs == sorted({portal.site for portal in ALL})


@pytest.fixture
def noon(up: Up) -> Iterator[str]:
    """A site where it is noon, whose pages are viewed."""
    up.move_to_noon()
    yield up.site
    assert luot("site", "remove", up.site, "--yes", "--data", str(up.data)).returncode == 0
    up.site = "demo"


def test_the_command_says_what_another_time_zone_does_before_it_is_made(up: Up, noon: str) -> None:
    up.view()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (before := up.counter())["today"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # Where the day is another one, now: 14 hours ahead, or 10 behind.
    ahead = datetime.now(UTC).hour >= 10
    zone = "Pacific/Kiritimati" if ahead else "Pacific/Honolulu"
    edited = luot("site", "edit", noon, "--timezone", zone, "--data", str(up.data))
    assert edited.returncode == 0, edited.stderr
    assert f"{noon} gets the time zone {zone} at " in edited.stderr
    assert "No number falls" in edited.stderr
    assert f"{before['timezone']};" in edited.stdout
    time.sleep(1.5)
    after = up.counter()
    assert after["timezone"] == before["timezone"]
    assert after["today"] >= before["today"]
    back = luot("site", "edit", noon, "--timezone", before["timezone"], "--data", str(up.data))
    assert (back.returncode, back.stderr) == (0, "")


def test_a_wrong_token_is_refused_in_one_line(up: Up) -> None:
    refused = luot("site", "list", LUOT_URL=up.url, LUOT_TOKEN="x" * 32)
    assert refused.returncode == 2
    assert "401" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_log_is_replayed_and_visitors_simulated(up: Up, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(
        "".join(
            f'198.51.100.{n} - - [01/Jan/2026:00:00:{n:02} +0700] "GET /replayed/{n % 2} HTTP/1.1"'
            f' 200 5 "-" "{BROWSER}"\n'
            f'198.51.100.{n} - - [01/Jan/2026:00:00:{n:02} +0700] "GET /x.css HTTP/1.1"'
            f' 200 5 "-" "{BROWSER}"\n'
            for n in range(20)
        )
        + "broken\n"
    )
    replayed = luot("replay", str(log), "--site", "demo", "--url", up.url, "--json")
    assert replayed.returncode == 0, replayed.stderr
    summary = json.loads(replayed.stdout)
    assert (summary["lines"], summary["broken_lines"]) == (41, 1)
    assert (summary["sent"], summary["accepted"], summary["failed"]) == (20, 20, 0)

    visitors = ("simulate", "--url", up.url, "--visitors", "30", "--seconds", "0", "--seed=1")
    simulated = luot(*visitors, "--json")
    assert simulated.returncode == 0, simulated.stderr
    summary = json.loads(simulated.stdout)
    assert summary["dropped"]["bot"] > 0
    assert summary["accepted"] + summary["dropped"]["bot"] == summary["sent"] == summary["pages"]
    assert "dropped: bot" in luot(*visitors).stdout

    deadline = time.monotonic() + COUNTED_SECONDS
    while up.counter(path="/replayed/0")["paths"]["/replayed/0"]["views"] != 10:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def refusal(*arguments: str, **more: str) -> str:
    """Return the one line with which `luot up` refuses to start."""
    refused = luot("up", *arguments, **more)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    return refused.stderr


def test_a_folder_in_use_is_refused(up: Up) -> None:
    line = refusal("--data", str(up.data), "--port", "0")
    assert f"is in use by another `luot up` (process {up.process.pid})" in line


def test_a_port_in_use_is_refused(up: Up, tmp_path: Path) -> None:
    port = up.url.rpartition(":")[2]
    line = refusal("--data", str(tmp_path / "data"), "--port", port)
    assert f"port {port} of 127.0.0.1 cannot be used: Address already in use" in line


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refusal("--data", str(tmp_path / "file" / "data"), "--port", "0")
    assert "cannot be used: Not a directory" in line


def test_stores_of_ones_own_are_refused(tmp_path: Path) -> None:
    line = refusal("--data", str(tmp_path), LUOT_REDIS_URL="redis://127.0.0.1:6379")
    assert "LUOT_REDIS_URL is set" in line


def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    Up(tmp_path).end()
    line = refusal("--data", str(tmp_path), "--port", "0", LUOT_PARTITIONS="4")
    assert "LUOT_PARTITIONS=4" in line
    assert "8 partitions" in line
