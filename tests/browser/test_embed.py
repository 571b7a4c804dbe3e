"""Badge and iframe page in a real browser: their own style applies, and their text fits."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from services.api.embed import badge, page
from services.api.embed.block import Block
from services.model.display import Display, Line, Look, Preset, Theme

NUMBERS: dict[str, Any] = {line.value: 8_307_145 for line in Line} | {"peak": {"online": 40}}
FITS = """() => {
    const { width, height } = document.documentElement.getBoundingClientRect();
    return [...document.querySelectorAll("text, tspan")].filter((text) => {
        const box = text.getBBox();
        return box.x < 0 || box.x + box.width > width || box.y + box.height > height;
    }).map((text) => text.textContent);
}"""


def block(query: str) -> Block:
    given: dict[str, Any] = dict(parse_qsl(query))
    if "lines" in given:
        given["lines"] = given["lines"].split(",")
    return Block.of_site(Look.of(msgspec.convert(given, Display, strict=False)), NUMBERS)


class Server(BaseHTTPRequestHandler):
    """Sends what is drawn, with the policy that Luot sends along; /portal holds both."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        shown = block(address.query)
        look = (shown.look.preset, shown.look.theme)
        if address.path == "/badge.svg":
            self.reply(badge.svg(shown), badge.MEDIA_TYPE, badge.policy(*look))
        elif address.path == "/page.html":
            self.reply(page.html(shown), page.MEDIA_TYPE, page.policy(*look))
        else:
            frame = f'<img src="/badge.svg?{address.query}" alt="Thống kê">'
            self.reply(f"<!doctype html><title>Cổng</title>{frame}", "text/html", "")

    def reply(self, body: str, media_type: str, policy: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("preset", Preset)
def test_the_text_of_a_badge_fits_and_its_style_is_allowed(
    url: str, page: Page, preset: Preset
) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    for options in ("digits=11&format=dot", "heading=Thống kê truy cập của cổng thông tin", ""):
        page.goto(f"{url}/badge.svg?theme=dark&preset={preset}&lines=online,total&{options}")
        assert page.evaluate(FITS) == []
        ground = "getComputedStyle(document.querySelector('.b')).fill"
        assert page.evaluate(ground) in ("rgb(27, 30, 36)", "rgb(27, 33, 38)")
    assert told == []


def test_a_text_that_does_not_fit_would_be_found(url: str, page: Page) -> None:
    page.goto(f"{url}/badge.svg")
    page.evaluate("document.querySelector('tspan').setAttribute('textLength', '900')")
    assert page.evaluate(FITS) != []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_badge_in_an_image_follows_the_readers_system(
    url: str, browser: Browser, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme)
    tab = context.new_page()
    pictures = []
    for theme in (scheme, Theme.AUTO):
        tab.goto(f"{url}/portal?theme={theme}&preset=joomla")
        pictures.append(tab.locator("img").screenshot())
    context.close()
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("preset", Preset)
def test_axe_finds_nothing_on_the_page_which_fits_200_pixels(
    url: str, browser: Browser, preset: Preset
) -> None:
    # Without the policy, which would keep axe out as well.
    context = browser.new_context(viewport={"width": 200, "height": 400}, bypass_csp=True)
    tab = context.new_page()
    tab.goto(f"{url}/page.html?preset={preset}&theme=dark&digits=14&format=dot")
    wide = tab.evaluate("document.documentElement.scrollWidth")
    found = Axe().run(tab).response["violations"]
    context.close()
    assert wide == 200
    assert [rule["id"] for rule in found] == []


def test_the_style_of_the_page_is_allowed_and_nothing_else(url: str, page: Page) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(f"{url}/page.html?preset=dnn&theme=light")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == (
        "rgb(255, 255, 255)"
    )
    assert told == []
    with page.expect_console_message() as refused:
        page.evaluate("document.body.append(Object.assign(new Image(), {src: '/badge.svg'}))")
    assert "Content Security Policy" in refused.value.text
