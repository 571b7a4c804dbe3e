"""A real browser, and a portal whose requests are recorded."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from services.api import public, script
from tests.require import program

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-blink-features=AutomationControlled",
    # Portals have names: the browser finds them here, without a name server.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]


class Asked(NamedTuple):
    """One request as the portal's server saw it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Portal:
    """A small web server: pages, the script, and Luot's two addresses; it records what is asked."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.numbers: dict[str, Any] = {}
        self.refuses = False
        self.asked: list[Asked] = []
        self._changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"portal": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, path: str, host: str = "portal.example") -> str:
        return f"http://{host}:{self.port}{path}"

    def page(self, path: str, body: str = "", attributes: str = "", lang: str = "vi") -> None:
        """Put up a page that carries the script."""
        self.pages[path] = (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
            '<link rel="icon" href="data:,"><title>Cổng thông tin</title>'
            f'<script defer src="/counter.js" data-site="mytho" {attributes}></script></head>'
            f"<body>{body}</body></html>"
        )

    def record(self, asked: Asked) -> None:
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()

    def views(self) -> list[dict[str, Any]]:
        """Return the events that were sent."""
        return [json.loads(asked.body) for asked in self._of("POST", "/api/event")]

    def reads(self) -> list[Asked]:
        """Return the reads of the numbers."""
        return self._of("GET", "/api/counter/mytho")

    def wait(self, *, views: int | None = None, reads: int | None = None) -> None:
        """Return as soon as so many were received; fail after ten seconds or when more were."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    (views is None or len(self.views()) >= views)
                    and (reads is None or len(self.reads()) >= reads)
                ),
                timeout=10,
            )
        assert views in (None, len(self.views())), self.views()
        assert reads in (None, len(self.reads())), self.reads()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _of(self, method: str, path: str) -> list[Asked]:
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]


class _Handler(BaseHTTPRequestHandler):
    portal: Portal

    def do_GET(self) -> None:
        asked = self._record()
        if asked.path == "/counter.js":
            self._answer(200, script.built(script.COUNTER), "text/javascript; charset=utf-8")
        elif asked.path.startswith("/api/"):
            status = 503 if self.portal.refuses else 200
            body = json.dumps(self.portal.numbers).encode()
            self._answer(status, body, "application/json", public.HEADERS["Cache-Control"])
        elif asked.path in self.portal.pages:
            self._answer(200, self.portal.pages[asked.path].encode(), "text/html; charset=utf-8")
        else:
            self._answer(404, b"", "text/plain")

    def do_POST(self) -> None:
        self._record()
        self._answer(503 if self.portal.refuses else 202, b"ok", "text/plain")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _record(self) -> Asked:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, unquote(parts.path), parse_qs(parts.query), headers, body)
        self.portal.record(asked)
        return asked

    def _answer(
        self, status: int, body: bytes, media_type: str, cache_control: str = "no-store"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Cache-Control", cache_control)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # No longer than a module: as long as Playwright is open, no other event loop may run here.
    chromium = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of a new visitor, whose timers run only when a test lets them."""
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    context.close()
    assert failures == []


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.stop()
