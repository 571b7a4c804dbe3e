"""A connection that breaks before the answer: the browser repeats the request by itself."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.browser.test_navigations import wait_until
from tests.servers.up import BROWSER, Up


class Breaking:
    """Passes connections on; the first hit on one that was used is taken, and never answered."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.hits: list[bytes] = []
        self.broken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        used = False
        with (
            near,
            socket.create_connection(("127.0.0.1", self._target)) as far,
            contextlib.suppress(OSError),
        ):
            while request := _message(near):
                far.sendall(request)
                if request.startswith(b"POST"):
                    self.hits.append(request)
                answer = _message(far)
                if request.startswith(b"POST") and used and not self.broken:
                    assert answer.startswith(b"HTTP/1.1 202"), answer
                    self.broken += 1
                    return
                near.sendall(answer)
                used = True


def _message(of: socket.socket) -> bytes:
    """Return the next request or answer; '' at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := of.recv(65536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    length = int(fields.get(b"content-length", 0))
    while len(body) < length or (
        fields.get(b"transfer-encoding") == b"chunked" and not body.endswith(b"0\r\n\r\n")
    ):
        if not (more := of.recv(65536)):
            break
        body += more
    return head + b"\r\n\r\n" + body


@pytest.fixture
def breaking(up: Up) -> Iterator[Breaking]:
    proxy = Breaking(urlsplit(up.url).port or 0)
    yield proxy
    proxy.close()


def test_a_view_whose_request_the_browser_repeats_counts_once(
    up: Up, breaking: Breaking, browser: Browser
) -> None:
    before = up.settled_total()
    context = browser.new_context(user_agent=BROWSER)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{breaking.port}/demo")
    wait_until(lambda: up.counter()["total"] == before + 1)
    page.evaluate("history.pushState({}, '', '/demo/tiep-theo')")
    wait_until(lambda: len(breaking.hits) == 3)
    assert breaking.broken == 1
    first, second, third = (hit.partition(b"\r\n\r\n")[2] for hit in breaking.hits)
    assert first != second == third
    wait_until(lambda: up.counter()["total"] >= before + 2)
    # What is counted after it says that nothing before it is yet to be counted.
    up.view("/demo/sau-do", address="192.0.2.77")
    wait_until(lambda: up.counter()["total"] >= before + 3)
    assert up.counter()["total"] == before + 3
    context.close()
