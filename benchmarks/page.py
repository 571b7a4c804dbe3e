"""What a page view costs the browser: requests and bytes for Luot, as its network log has them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.measure import Result, exact
from tests.require import package, program
from tests.servers.up import BROWSER, Up

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    # A browser that says it is driven by a program is not counted.
    "--disable-blink-features=AutomationControlled",
]
PAGE = "/demo"
COUNTED_MS = 15_000


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure a first page view, and one with the script in the browser's cache."""
    playwright = package("playwright.sync_api")
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        up = Up(Path(folder) / "data")
        try:
            with playwright.sync_playwright() as engine:
                browser = engine.chromium.launch(
                    executable_path=program("chromium"), args=ARGUMENTS
                )
                context = browser.new_context(user_agent=BROWSER)
                for what in ("first view", "second view"):
                    yield from _view(context, up.url + PAGE, what)
                browser.close()
        finally:
            up.end()


def _view(context: Any, url: str, what: str) -> Iterator[Result]:
    page = context.new_page()
    log = _Network(context.new_cdp_session(page))
    with page.expect_response(lambda answer: "/api/counter/" in answer.url, timeout=COUNTED_MS):
        page.goto(url)
    page.wait_for_load_state("networkidle", timeout=COUNTED_MS)
    page.close()
    yield exact(f"{what}: requests for Luot", len(log.received), "requests")
    yield exact(f"{what}: bytes received for Luot", sum(log.received.values()), "bytes")
    for path, size in sorted(log.received.items()):
        yield exact(f"{what}: {path}", size, "bytes")


class _Network:
    """What was asked for over the network; what came from the cache is left out."""

    def __init__(self, session: Any) -> None:
        self._paths: dict[str, str] = {}
        self._bytes: dict[str, int] = {}
        self._cached: set[str] = set()
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.requestServedFromCache", self._from_cache)
        session.on("Network.responseReceived", self._received)
        session.on("Network.loadingFinished", self._finished)
        session.send("Network.enable")

    @property
    def received(self) -> dict[str, int]:
        """Bytes by path, heads included; 0 for a hit, whose answer nobody waits for."""
        found: dict[str, int] = {}
        for number, path in self._paths.items():
            if number not in self._cached:
                found[path] = found.get(path, 0) + self._bytes.get(number, 0)
        return found

    def _sent(self, event: Any) -> None:
        path = urlsplit(event["request"]["url"]).path
        if path == "/e" or path.startswith("/api/") or path.endswith((".js", ".map")):
            self._paths[event["requestId"]] = path

    def _from_cache(self, event: Any) -> None:
        self._cached.add(event["requestId"])

    def _received(self, event: Any) -> None:
        if event["response"].get("fromDiskCache"):
            self._cached.add(event["requestId"])

    def _finished(self, event: Any) -> None:
        self._bytes[event["requestId"]] = int(event["encodedDataLength"])
