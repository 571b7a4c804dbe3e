"""Commands that something else than Luot answers, and what is given to them that cannot be."""

import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from services.access_log import client
from services.cli.main import app
from services.probe.outcome import Outcome
from services.probe.probe import Probe

OTHER = b"""
{"status": "ok", "sites": {"a": 1}, "groups": [1], "users": "a", "tokens": null, "entries": 1,
 "imports": {}, "pages": ["/"], "corrections": true, "titles": {"/": "a"}, "scripts": []}
"""
SENT: dict[str, tuple[int, str, bytes]] = {
    "page": (200, "text/html", b"<html>a portal</html>"),
    "nothing": (200, "", b""),
    "bytes": (200, "application/json", b"\xff\xfe"),
    "missing": (404, "text/html", b"<html>no such page</html>"),
    "list": (404, "application/json", b"[1]"),
    "null": (404, "application/json", b'{"errors": null}'),
    "no_fields": (200, "application/json", b"{}"),
    "no_object": (200, "application/json", b"[]"),
    "none": (200, "application/json", b"null"),
    "no_answer": (204, "", b""),
    "other_fields": (200, "application/json", OTHER),
}
COMMANDS = """
site list | site add a | site edit a --name b | site edit a --timezone Asia/Bangkok
site remove a --yes | site remove a --erase --yes | site rename a b | site merge a b | site part a
site restore a | site hide a /x | site unhide a /x | group list | group add g
group edit g --name x | group remove g --yes | titles fetch a | titles set a /x t
titles import a FOLDER/titles.csv | titles list a | titles remove a /x | user list
user add u --role owner --generate | user edit u --role owner | user passwd u --generate
user reset-second-factor u --yes | user remove u --yes | token list | token add --role owner
token revoke x | balance add a total --visits 1 --reason r | balance reverse a x --reason r
balance import a FOLDER/pages.csv --reason r | balance list a | correct views a --from 2d
correct list a | correct reverse a x --reason r | correct peak a --reason r
repair paths a --day 2026-01-01 --yes | imports --site a | imports undo x --site a --yes
export hits a | export counters a | audit | snippet a | doctor | tail | import FOLDER/log --site a
"""
DONE = """
site remove a --yes | group remove g --yes | titles remove a /x | user passwd u --generate
user reset-second-factor u --yes | user remove u --yes | token revoke x
"""
"""Commands that are told nothing but that it is done: with 204."""
LINE = (
    '192.0.2.1 - - [01/Jan/2026:00:00:00 +0700] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 Firefox"\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    (made / "titles.csv").write_text("path,title\n/,a\n")
    (made / "pages.csv").write_text("path,views\n/,1\n")
    (made / "log").write_text(LINE)
    return made


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server that says under /NAME/… what SENT has for the name."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, body = SENT[self.path.split("/")[1]]
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def __getattr__(self, name: str) -> object:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "AWAY_SECONDS", 0.0)


def _words(commands: str, folder: Path) -> list[list[str]]:
    """Return commands, each as its arguments."""
    lines = commands.replace("\n", "|").replace("FOLDER", str(folder)).split("|")
    return [words for line in lines if (words := line.split())]


def said(*arguments: str, url: str = "http://127.0.0.1:9", token: str = "x" * 32) -> str:
    """Return why a command ends with exit code 2, in one line."""
    environ = {"LUOT_URL": url, "LUOT_TOKEN": token, "COLUMNS": "300"}
    ran = CliRunner().invoke(app, arguments, env=environ)
    assert isinstance(ran.exception, SystemExit), repr(ran.exception)
    assert ran.exit_code == 2, ran.output
    return " ".join(ran.output.split())


@pytest.mark.parametrize("name", SENT)
def test_an_answer_that_is_not_of_luot_is_named(name: str, server: str, folder: Path) -> None:
    url = f"{server}/{name}"
    done = _words(DONE, folder) if SENT[name][0] == HTTPStatus.NO_CONTENT else []
    for words in _words(COMMANDS, folder):
        if words not in done:
            told = said(*words, url=url)
            assert f"{url} answers {SENT[name][0]}" in told, words


@pytest.mark.parametrize("name", ["no_fields", "other_fields"])
def test_json_that_is_not_of_luot_is_not_passed_on(name: str, server: str, folder: Path) -> None:
    url = f"{server}/{name}"
    seen = 0
    for words in _words(COMMANDS, folder):
        told = said(*words, "--json", url=url)
        if "No such option" not in told:
            assert f"{url} answers 200 with application/json" in told, words
            seen += 1
    assert seen > 25


def test_what_an_answer_lacks_is_named(server: str) -> None:
    told = said("site", "list", url=f"{server}/no_fields")
    assert told == (
        f"luot: {server}/no_fields answers 200 with application/json without Luot's 'sites':"
        " that is not Luot, or another version of it; see LUOT_URL"
    )


@pytest.mark.parametrize(
    "url", ["http://luot.example:80a", "http://[::1", "http://a\x01b", "http://192.0.2.999"]
)
def test_an_address_that_is_none_is_named_by_every_command(url: str, folder: Path) -> None:
    others = "|backup FOLDER/backup|probe --once|simulate --site a"
    for command in (COMMANDS + others).replace("\n", "|").split("|"):
        if words := command.replace("FOLDER", str(folder)).split():
            assert f"LUOT_URL={url!r}: " in said(*words, url=url), command


@pytest.mark.parametrize("token", ["của tôi", "two\nlines"])
def test_a_token_that_no_request_can_have_is_not_sent(token: str) -> None:
    told = said("site", "list", token=token)
    assert "LUOT_TOKEN=(secret): expected" in told
    assert token not in told


def test_what_fits_into_no_request_is_refused() -> None:
    assert "cannot be reached" in said("site", "remove", "my\rtho", "--yes")
    assert "cannot be asked this" in said("site", "remove", "m" * 100_000, "--yes")
    assert "cannot be asked this" in said("site", "edit", "mytho", "--name", "Ti\udce7n")
    assert "cannot be reached" in said("site", "remove", "Ti\udce7n", "--yes")


async def test_an_answer_that_cannot_be_unpacked_does_not_end_a_probe() -> None:
    broken = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"<html></html>")
    )
    probe = Probe("http://luot.example", "a", 1.0, transport=httpx.MockTransport(lambda _: broken))
    assert (await probe.once()).outcome is Outcome.UNREACHABLE


def test_a_time_before_all_years_is_refused() -> None:
    told = said("correct", "views", "mytho", "--from", "999999d")
    assert "999999d is too long ago" in told
