"""How a page of a portal loads with and without Luot, on a slow processor and a slow network.

The processor is four times as slow as this one; latency and rates are those of Lighthouse's slow
4G. What is measured is what state portals are measured by: when something is there, when the
largest part is, when all is, and the longest task.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from benchmarks.measure import Result, runs, summary
from tests.browser.portal import LUOT, PORTAL, Portal
from tests.require import package, program
from tests.servers.up import BROWSER, Up

PATH = "/demo/dnn"
SLOWER = 4
LATENCY_MS = 150
DOWN = 1_600_000 // 8
UP = 750_000 // 8
"""Bytes a second."""
PATIENCE_MS = 120_000

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    # A browser that says it is driven by a program is not counted.
    "--disable-blink-features=AutomationControlled",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]
_SCRIPT = re.compile(r"<script[^>]*counter\.js[^>]*></script>")
_OBSERVE = """
    window.loading = { first: 0, largest: 0, longest: 0, shift: 0 };
    const observe = (type, note) => new PerformanceObserver((list) =>
        list.getEntries().forEach(note)).observe({ type, buffered: true });
    observe("paint", ({ name, startTime }) => {
        if (name === "first-contentful-paint") loading.first = startTime;
    });
    observe("largest-contentful-paint", ({ startTime }) => { loading.largest = startTime; });
    observe("longtask", ({ duration }) => {
        loading.longest = Math.max(loading.longest, duration);
    });
    observe("layout-shift", ({ value }) => { loading.shift += value; });
"""
_LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd > 0"
_SHOWN = "document.querySelector('visitor-counter')?.shadowRoot?.querySelector('.known') != null"
_TWO_FRAMES = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
_TAKEN = """() => {
    const [{ loadEventEnd }] = performance.getEntriesByType("navigation");
    return { ...loading, all: loadEventEnd };
}"""


class Loading(msgspec.Struct, frozen=True):
    """How a page loaded, in milliseconds since it was asked for.

    first, largest  when the first and the largest content was painted
    all             when everything had been loaded
    longest         how long the longest task took; 0 where none took 50 ms
    shift           by how much what was there already moved
    shown           when the numbers of Luot were there, None without it
    """

    first: float
    largest: float
    longest: float
    shift: float
    all: float
    shown: float | None = None


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure both by turns, each time as somebody who comes for the first time."""
    playwright = package("playwright.sync_api")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="luot-benchmark-"))
        up = Up(Path(folder) / "data")
        stack.callback(up.end)
        portal = Portal()
        stack.callback(portal.stop)
        engine = stack.enter_context(playwright.sync_playwright())
        browser = engine.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        stack.callback(browser.close)
        urls = put_up(portal, up.url)
        loaded: dict[str, list[Loading]] = {name: [] for name in urls}
        for _ in range(runs(quick)):
            for name, url in urls.items():
                loaded[name].append(load(browser, url, shows=name == WITH))
    for name, several in loaded.items():
        for what, field in _RESULTS:
            yield summary(f"{name}: {what}", [getattr(one, field) for one in several], unit="ms")
        moved = [one.shift for one in several]
        yield summary(f"{name}: layout shift", moved, unit="CLS")
    shown = [one.shown for one in loaded[WITH] if one.shown is not None]
    yield summary(f"{WITH}: the numbers are there", shown, unit="ms")


WITHOUT, WITH = "without Luot", "with Luot"
_RESULTS = (
    ("first content", "first"),
    ("largest content", "largest"),
    ("all", "all"),
    ("longest task", "longest"),
)


def put_up(portal: Portal, up: str) -> dict[str, str]:
    """Put up a page of the demo with and without the script; return the address of each.

    Luot is on another host than the portal, as it is in life: it takes a connection of its own.
    """
    port = urlsplit(up).port
    page = httpx.get(up + PATH, headers={"User-Agent": BROWSER}).text
    page = page.replace("<head>", f'<head><base href="http://{PORTAL}:{port}/">', 1)
    (tag,) = _SCRIPT.findall(page)
    elsewhere = re.sub(r'src="[^"]*"', f'src="http://{LUOT}:{port}/counter.js"', tag)
    portal.pages["/without"] = (page.replace(tag, ""), {})
    portal.pages["/with"] = (page.replace(tag, elsewhere), {})
    return {WITHOUT: portal.url("/without"), WITH: portal.url("/with")}


def load(browser: Any, url: str, *, shows: bool) -> Loading:
    """Load a page as a new reader on a slow machine; `shows` says whether it has numbers."""
    context = browser.new_context(user_agent=BROWSER)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY_MS,
            "downloadThroughput": DOWN,
            "uploadThroughput": UP,
        },
    )
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.add_init_script(_OBSERVE)
    page.goto(url, wait_until="load", timeout=PATIENCE_MS)
    page.wait_for_function(_LOADED, timeout=PATIENCE_MS)
    shown = None
    if shows:
        page.wait_for_function(_SHOWN, timeout=PATIENCE_MS)
        shown = page.evaluate("performance.now()")
    page.evaluate(_TWO_FRAMES)
    taken = page.evaluate(_TAKEN)
    context.close()
    return Loading(**taken, shown=shown)
