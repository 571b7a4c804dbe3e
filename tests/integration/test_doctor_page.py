"""`luot doctor --page` fetches a page of a portal and says whether it is counted."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.servers.up import Up, luot


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("page") / "data")
    yield running
    assert running.end() == 0


@pytest.fixture
def portal(up: Up) -> Iterator[str]:
    """The address of a portal whose pages carry the script for the site that their path names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site = self.path.strip("/")
            tag = f'<script async src="{up.url}/counter.js" data-site="{site}"></script>'
            if site.startswith("plausible-"):
                origin = up.url if site == "plausible-demo" else ""
                tag = f'<script src="{origin}/js/script.js" data-domain="demo"></script>'
            if site == "away":
                tag = '<script async src="/counter.js" data-site="demo"></script>'
            body = f"<head>{tag}<script>var _govaq</script></head>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            if site == "policy":
                self.send_header("Content-Security-Policy", "default-src 'self'")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def examined(url: str) -> tuple[int, dict[str, bool | None], str]:
    done = luot("doctor", "--page", url, "--json")
    checks = json.loads(done.stdout)
    return done.returncode, {each["name"]: each["ok"] for each in checks}, done.stdout


def test_a_page_that_is_counted_is_right_and_is_not_counted_by_that(up: Up, portal: str) -> None:
    before = up.settled_total()
    code, checks, _ = examined(f"{portal}/demo")
    names = ("answer", "script", "once", "policy", "national measurement", "Luot", "site")
    assert (code, checks) == (0, dict.fromkeys(names, True))
    assert (
        "pages of 127.0.0.1 are counted on demo"
        in luot("doctor", "--page", portal + "/demo").stdout
    )
    assert up.settled_total() == before


def test_a_tag_of_plausible_is_right_only_if_luot_answers_there(up: Up, portal: str) -> None:
    before = up.settled_total()
    code, checks, _ = examined(f"{portal}/plausible-demo")
    assert (code, checks["script"], checks["site"]) == (0, True, True)
    code, checks, said = examined(f"{portal}/plausible-own")
    assert (code, checks["script"], "site" in checks) == (1, False, False)
    assert "does not answer as Luot" in said
    assert up.settled_total() == before


def test_a_script_whose_server_takes_no_hits_counts_nothing(portal: str) -> None:
    code, checks, said = examined(f"{portal}/away")
    assert (code, checks["script"], checks["site"]) == (1, True, False)
    assert "Luot answers '404'" in said


def test_what_is_wrong_is_named_with_what_to_do(up: Up, portal: str, tmp_path: Path) -> None:
    code, checks, said = examined(f"{portal}/nobody")
    assert (code, checks["site"]) == (1, False)
    assert "luot site list" in said
    token = (up.data / "token").read_text().strip()
    up.http.post(
        "/api/admin/sites",
        json={"slug": "elsewhere", "hosts": ["elsewhere.example"]},
        headers={"Authorization": f"Bearer {token}"},
    ).raise_for_status()
    up.http.get(
        "/api/admin/sites/elsewhere/ingest",
        params={"wait": 10},
        headers={"Authorization": f"Bearer {token}"},
    ).raise_for_status()
    code, checks, said = examined(f"{portal}/elsewhere")
    assert (code, checks["site"]) == (1, False)
    assert "--host 127.0.0.1" in said
    code, checks, _ = examined(f"{portal}/policy")
    assert (code, checks["policy"]) == (1, False)
    code, checks, _ = examined(f"{up.url}/counter.js")
    assert (code, checks["answer"], checks["script"]) == (1, False, False)
    gone = luot("doctor", "--page", "http://127.0.0.1:1/")
    assert (gone.returncode, "cannot be fetched" in gone.stderr) == (2, True)
