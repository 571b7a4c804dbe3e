"""The shipped configuration of a web server lets through what pages ask."""

import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from services.ingest.http import MAX_SENT_BODY
from services.ingest.sent import MAX_EVENTS
from tests.patience import PATIENCE_SECONDS
from tests.require import program
from tests.servers.nginx import TEMPORARY_FILES
from tests.servers.redis import free_port
from tests.servers.up import BROWSER, ROOT, Up

NAME = "thongke.example.vn"
# Of the site `demo`, which the first start makes.
COUNTER = "/api/counter/demo"
URL_BYTES = 24_000
CERTIFICATE = (
    f"req -x509 -newkey rsa:2048 -nodes -subj /CN={NAME} -addext subjectAltName=DNS:{NAME}"
    " -keyout privkey.pem -out fullchain.pem"
)
MAIN = (
    """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/pid;
events {{ worker_connections 128; }}
http {{
"""
    + TEMPORARY_FILES.format(directory="{folder}")
    + """    {other_site}
    include {folder}/luot.conf;
}}
"""
)
# The machine's other site comes first, so nginx takes it wherever it is not told the name.
OTHER_SITE = """
server {{
    listen {port} ssl;
    server_name portal.example.vn;
    ssl_certificate     {folder}/fullchain.pem;
    ssl_certificate_key {folder}/privkey.pem;
    access_log off;
}}
"""
NOBODYS = r"(?s)server \{\n    listen 80 default_server.*?\n\}\n"


class Front(NamedTuple):
    """A Luot, and the web server in front of it."""

    luot: Up
    port: int
    plain: int
    trusted: ssl.SSLContext

    def get(self, address: str, *, name: str = NAME, host: str | None = None) -> httpx.Response:
        """Return what the web server answers a browser."""
        # By its name, which the web server is told before the address.
        with httpx.Client(verify=self.trusted) as client:
            return client.get(
                f"https://127.0.0.1:{self.port}{address}",
                headers={"Host": host or name, "User-Agent": BROWSER},
                extensions={"sni_hostname": name},
            )

    def send(self, token: str, events: object) -> httpx.Response:
        """Send events through the web server, as another server does."""
        with httpx.Client(verify=self.trusted) as client:
            return client.post(
                f"https://127.0.0.1:{self.port}/e",
                json=events,
                headers={"Host": NAME, "Authorization": f"Bearer {token}"},
                extensions={"sni_hostname": NAME},
            )

    def status(self, address: str) -> int:
        """Return the status of what it answers."""
        return self.get(address).status_code


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def nginx(folder: Path, luot: Up, *, alone: bool) -> Iterator[Front]:
    """Run nginx as it is shipped; or beside another site, without the block for other names."""
    nginx, openssl = program("nginx"), program("openssl")
    subprocess.run([openssl, *CERTIFICATE.split()], cwd=folder, check=True, capture_output=True)
    port, plain = free_port(), free_port()
    shipped = (ROOT / "deploy/nginx/luot.conf").read_text("utf-8")
    for here, there in (
        *(() if alone else ((NOBODYS, ""),)),
        (r"127\.0\.0\.1:80[01][12]", luot.url.partition("//")[2]),
        (r"listen 80\b", f"listen {plain}"),
        (r"listen 443\b", f"listen {port}"),
        (r" *listen \[::\]:.+;\n", ""),
        (f"/etc/ssl/{NAME}", str(folder)),
    ):
        shipped, found = re.subn(here, there, shipped)
        assert found, here
    other_site = "" if alone else OTHER_SITE.format(folder=folder, port=port)
    (folder / "luot.conf").write_text(shipped)
    (folder / "main.conf").write_text(MAIN.format(folder=folder, other_site=other_site))
    log = folder / "error.log"
    process = subprocess.Popen([nginx, "-p", folder, "-e", log, "-c", folder / "main.conf"])
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield Front(luot, port, plain, ssl.create_default_context(cafile=folder / "fullchain.pem"))
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def luot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up") / "data", LUOT_PUBLIC_URL=f"https://{NAME}")
    yield running
    assert running.end() == 0


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, luot: Up) -> Iterator[Front]:
    with nginx(tmp_path_factory.mktemp("nginx"), luot, alone=False) as front:
        yield front


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, luot: Up) -> Iterator[Front]:
    with nginx(tmp_path_factory.mktemp("alone"), luot, alone=True) as front:
        yield front


def asked_for(pages: int, size: int) -> str:
    """Return the address that asks for so many pages with long names, of so many bytes."""
    each = (size - len(f"{COUNTER}?")) // pages
    query = "&".join(
        f"path=%2Fvi%2Fnews%2Fbai-{page:03}-".ljust(each - 1, "x") for page in range(pages)
    )
    address = f"{COUNTER}?{query}"
    assert size - pages < len(address) <= size
    return address


def test_a_list_of_100_articles_with_long_names_is_answered(front: Front) -> None:
    address = asked_for(100, URL_BYTES)
    answer = front.luot.http.get(address)
    assert answer.status_code == 200
    assert len(answer.json()["paths"]) == 100
    assert front.status(address) == 200


def test_what_is_longer_than_any_page_asks_is_refused_by_the_web_server(front: Front) -> None:
    assert front.status(asked_for(100, 40_000)) == 414


def test_a_server_sends_as_many_events_at_once_as_documented(front: Front) -> None:
    owner = {"Authorization": f"Bearer {(front.luot.data / 'token').read_text().strip()}"}
    body = {"role": "send", "sites": ["demo"]}
    token = front.luot.http.post("/api/admin/tokens", json=body, headers=owner).json()["token"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while front.send(token, {}).status_code != 400:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    event = {"n": "pageview", "d": "demo", "u": f"{front.luot.url}/demo", "user_agent": BROWSER}
    room = MAX_SENT_BODY // MAX_EVENTS - len(json.dumps(event)) - 50
    events = [
        event | {"ip": f"203.0.{number // 250}.{number % 250}", "unknown": "x" * room}
        for number in range(MAX_EVENTS)
    ]
    assert MAX_SENT_BODY * 0.9 < len(json.dumps(events)) < MAX_SENT_BODY
    answer = front.send(token, events)
    assert answer.status_code == 202, answer.text
    assert answer.json()["results"] == [{"status": "accepted"}] * MAX_EVENTS


def test_port_80_sends_browsers_to_tls_whatever_they_call_the_host(alone: Front) -> None:
    url = f"http://127.0.0.1:{alone.plain}/admin/?period=7d"
    answer = httpx.get(url, headers={"Host": NAME})
    assert answer.status_code == 308
    assert answer.headers["location"] == f"https://{NAME}/admin/?period=7d"
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url, headers={"Host": "evil.example"})


def test_other_names_are_nobodys(alone: Front) -> None:
    assert alone.status(COUNTER) == 200
    with pytest.raises(httpx.ConnectError):
        alone.get(COUNTER, name="evil.example")
    with pytest.raises(httpx.RemoteProtocolError):
        alone.get(COUNTER, host="evil.example")


def test_a_redirect_stays_on_the_name_and_on_tls(alone: Front) -> None:
    answer = alone.get("/admin/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/admin")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_whoever_tries_passwords_or_queries_without_end_is_told_to_wait(alone: Front) -> None:
    for address in ("/admin/sign-in", "/api/v1/stats/aggregate?site_id=demo"):
        codes = {alone.status(address)}
        tried = 1
        while 429 not in codes:
            assert tried < 2000
            codes.add(alone.status(address))
            tried += 1
        assert codes <= {200, 401, 429}
        assert tried > 20
    # Readers of the same address do not notice.
    assert {alone.status(COUNTER) for _ in range(100)} == {200}


def test_the_process_is_nobodys_business(alone: Front) -> None:
    for address in ("/metrics", "/healthz", "/readyz"):
        assert alone.status(address) == 404
