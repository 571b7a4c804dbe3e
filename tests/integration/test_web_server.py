"""The shipped configuration of a web server lets through what pages ask."""

import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from tests.require import program
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
# The machine's other site came first, so nginx takes it wherever it is not told the name.
MAIN = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/pid;
events {{ worker_connections 128; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {port} ssl;
        server_name portal.example.vn;
        ssl_certificate     {folder}/fullchain.pem;
        ssl_certificate_key {folder}/privkey.pem;
        access_log off;
    }}
    include {folder}/luot.conf;
}}
"""


class Front(NamedTuple):
    """A Luot, and the web server in front of it."""

    luot: Up
    port: int
    trusted: ssl.SSLContext

    def status(self, address: str) -> int:
        """Return how the web server answers a browser."""
        # By its name, which the web server is told before the address.
        with httpx.Client(verify=self.trusted) as client:
            answer = client.get(
                f"https://127.0.0.1:{self.port}{address}",
                headers={"Host": NAME, "User-Agent": BROWSER},
                extensions={"sni_hostname": NAME},
            )
        return answer.status_code


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    nginx, openssl = program("nginx"), program("openssl")
    folder = tmp_path_factory.mktemp("nginx")
    subprocess.run([openssl, *CERTIFICATE.split()], cwd=folder, check=True, capture_output=True)
    luot = Up(tmp_path_factory.mktemp("up") / "data")
    port = free_port()
    shipped = (ROOT / "deploy/nginx/luot.conf").read_text("utf-8")
    for here, there in (
        (r"127\.0\.0\.1:800[12]", luot.url.partition("//")[2]),
        (r"listen 443\b", f"listen {port}"),
        (f"/etc/ssl/{NAME}", str(folder)),
    ):
        shipped, found = re.subn(here, there, shipped)
        assert found, here
    (folder / "luot.conf").write_text(shipped)
    (folder / "main.conf").write_text(MAIN.format(folder=folder, port=port))
    log = folder / "error.log"
    process = subprocess.Popen([nginx, "-p", folder, "-e", log, "-c", folder / "main.conf"])
    deadline = time.monotonic() + 30
    while not listens(port):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    yield Front(luot, port, ssl.create_default_context(cafile=folder / "fullchain.pem"))
    process.terminate()
    process.wait(30)
    assert luot.end() == 0


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
