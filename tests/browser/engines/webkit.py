"""WebKit, by its WebDriver, on a screen that nobody sees."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.browser.engines.engine import (
    BLOCKED,
    HOSTS,
    WAIT_SECONDS,
    Engine,
    EngineError,
    Process,
    Silence,
    end,
    start,
)
from tests.browser.engines.names import known_names
from tests.require import library, program
from tests.servers.redis import free_port

_BEGINNINGS = 5
"""How often what fails by chance at first is begun again."""


class WebKit(Engine):
    """Debian's WebKitGTK with its MiniBrowser, which has no setting to ask not to be tracked.

    It sends each view on a new connection, and so never thinks that one had just been closed.
    """

    repeats = False

    def __init__(
        self, folder: Path, *, silence: Silence | None = None, blocking: bool = False
    ) -> None:
        assert silence not in self.asks
        driver, screen = program("WebKitWebDriver"), program("Xvfb")
        browser = library("*/webkit2gtk-4.*/MiniBrowser")
        arguments = ["--automation"]
        if blocking:
            arguments.append(f"--content-filter={_rules(folder / 'rules.json')}")
        names = known_names(folder)
        self._screen, display = _screen(screen)
        port = free_port()
        more = {"HOME": str(folder), "DISPLAY": display, "GTK_A11Y": "none"}
        self._driver = start([driver, f"--port={port}"], names | more)
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_SECONDS)
        self._session = ""
        try:
            self._ready()
            options = {"binary": browser, "args": arguments}
            wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
            self._session = self._begun(wanted)
            self._know_names()
        except BaseException:
            self.close()
            raise

    def _begun(self, wanted: dict[str, Any]) -> str:
        """Begin a session; where the browser took too long to open a window, begin another."""
        for left in reversed(range(_BEGINNINGS)):
            try:
                told = self._command("POST", "/session", capabilities=wanted)
            except EngineError:
                if not left:
                    raise
            else:
                return f"/session/{told['sessionId']}"
        raise AssertionError

    def open(self, url: str) -> None:
        self._command("POST", f"{self._session}/url", url=url)

    def _know_names(self) -> None:
        """Look each name up until it is found: at first, libnss_wrapper may miss one.

        WebKit asks for the IPv4 and the IPv6 address of a name in two threads at once.
        """
        nobody = free_port()
        for host in HOSTS:
            for _ in range(_BEGINNINGS):
                with suppress(EngineError):
                    self.open(f"http://{host}:{nobody}/")
                if "resolving" not in str(self.evaluate("document.body.textContent")):
                    break

    def evaluate(self, expression: str) -> Any:
        path = f"{self._session}/execute/sync"
        return self._command("POST", path, script=f"return {expression}", args=[])

    def forget(self) -> None:
        """Leave the window for a new one. Apart from cookies, what is kept is kept by origin.

        Each test has a portal and a way to Luot of its own, at ports of their own.
        """
        self._command("DELETE", f"{self._session}/cookie")
        new = self._command("POST", f"{self._session}/window/new", type="window")["handle"]
        self._command("DELETE", f"{self._session}/window")
        self._command("POST", f"{self._session}/window", handle=new)

    def close(self) -> None:
        try:
            if self._session:
                # The browser ends with its session.
                self._command("DELETE", self._session)
        finally:
            self._http.close()
            end(self._driver)
            end(self._screen)

    def _ready(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self._command("GET", "/status")
            except httpx.TransportError:
                assert self._driver.poll() is None, "WebKitWebDriver ended"
                assert time.monotonic() < deadline, "WebKitWebDriver does not answer"
                time.sleep(0.05)
            else:
                return

    def _command(self, method: str, path: str, **parameters: Any) -> Any:
        """Send a command of https://www.w3.org/TR/webdriver1/; return its result."""
        body = parameters if method == "POST" else None
        answer = self._http.request(method, path, json=body)
        told = answer.json()["value"]
        if answer.status_code != httpx.codes.OK:
            raise EngineError(f"{path}: {told['message'] or told['error']}")
        return told


def _screen(program: str) -> tuple[Process, str]:
    """Start a screen; return its process and name."""
    reading, writing = os.pipe()
    size = ["-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    process = start([program, "-displayfd", str(writing), *size], {}, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        number = told.readline().strip()
    assert number, "Xvfb ended"
    return process, f":{number}"


def _rules(path: Path) -> Path:
    """Write the rules of a blocker as Safari's blockers have them."""
    rules = [
        {"trigger": {"url-filter": rf"/{host}\..*/event"}, "action": {"type": "block"}}
        for host in BLOCKED
    ]
    path.write_text(json.dumps(rules))
    return path
