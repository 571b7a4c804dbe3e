"""A `luot up` with a past, and people who sign in to it."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from services.model.site import DEFAULT_TIMEZONE
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.up import BROWSER, ROOT, Up, environ

ADMIN = "admin"
KEEP_PICTURES = "LUOT_TEST_PICTURES"
DESKTOP = {"width": 1080, "height": 700}
PHONE = {"width": 360, "height": 740}
ONLINE = ("/realtime/visitors", "/online")
"""Ends of the paths at which a page asks every few seconds who is online."""
OF_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules of axe that another scheme of colours may break, where nothing else differs."""
_UNANSWERED = re.compile("Chưa có câu trả lời|No answer")
"""What a panel says that the server was too busy for."""

Shown = Callable[[Page], None]


def up_with_past(data: Path, past: str = "past", port: int = 0, **settings: str) -> Up:
    """Start Luot on a folder that has a past: sixty days of hits, or what another module makes."""
    data.mkdir()
    made = [sys.executable, "-m", f"tests.browser.{past}", str(data)]
    zone = {"PAST_ZONE": DEFAULT_TIMEZONE} if os.environ.get(KEEP_PICTURES) else {}
    subprocess.run(made, env=environ(**zone), cwd=ROOT, check=True, timeout=120)
    return Up(data, port, **settings)


def first_password(up: Up) -> str:
    """Return the password that `luot up` printed at its first start."""
    found = re.search(r"Sign in as admin with the password (\S+)", "".join(up.output))
    assert found is not None, "luot up did not print the password of its first user"
    return found[1]


class Desk:
    """A browser at which somebody sits; whatever goes wrong on its pages is kept."""

    def __init__(self, browser: Browser, url: str, **more: Any) -> None:
        options = {"user_agent": BROWSER, "locale": "vi-VN", "viewport": DESKTOP, **more}
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_SECONDS * 1000)
        self.page = self.context.new_page()
        self.url = url
        self.wrong: list[str] = []
        self._late: set[str] = set()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        path = urlsplit(message.location["url"]).path
        # Where Redis takes a second, nobody knows who is online; the page asks again by itself.
        if "503" not in message.text or not path.endswith(ONLINE):
            self.wrong.append(f"{message.text} ({path})")

    def open(self, path: str) -> Page:
        """Go to a page; again, as a person does, where a busy machine was too slow for it.

        The server says so by the status of the page, or in place of a panel: what was sent before
        the panel cannot be taken back.
        """
        for _ in rounds(0.5):
            answer = self.page.goto(self.url + path)
            if answer is not None and answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                self._late.add(urlsplit(answer.url).path)
            elif not self.page.locator(".problem", has_text=_UNANSWERED).count():
                return self.page
            time.sleep(0.5)
        raise AssertionError(f"{path} is not to be had")

    def sign_in(self, name: str, password: str) -> Page:
        """Sign in on the page where one is asked to."""
        page = self.open("/admin")
        # A browser logs that it does not focus a field where somebody is in another one already.
        expect(page.locator("[name=name]")).to_be_focused()
        page.fill("[name=name]", name)
        page.fill("[name=password]", password)
        page.click("button.main")
        return page

    def close(self) -> None:
        """Leave; nothing may have been logged to the console, a refusal by the CSP included."""
        self.context.close()
        late = tuple(f"503 (Service Unavailable) ({path})" for path in self._late)
        self.wrong = [said for said in self.wrong if not said.endswith(late)]
        assert self.wrong == [], self.wrong


def problems(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Return the rules that axe sees broken, of all or of some, and where."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    # To bring along what is not broken takes as long as to look at a small page.
    found = page.evaluate(f"axe.run({json.dumps(options)}).then((found) => found.violations)")
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


_CUT = """() => {
  const pours = 'td, th, button, a.button, h1, h2, h3, .value, .label';
  const plain = (text) => text.replace(/\\s+/g, ' ').trim();
  const named = (one) => {
    const by = one.closest('[title]');
    return by && plain(by.title).includes(plain(one.textContent));
  };
  const found = [];
  for (const one of document.querySelectorAll('body *')) {
    if (one.closest('svg, .sr, input, select') || !one.checkVisibility()) continue;
    if (one.clientWidth < 2) continue;
    const style = getComputedStyle(one);
    const hides = [style.overflowX, style.overflowY].map((of) => /hidden|clip/.test(of));
    const wide = one.scrollWidth > one.clientWidth + 1;
    const high = one.scrollHeight > one.clientHeight + 1;
    const cut = (hides[0] && wide) || (hides[1] && high) || (one.matches(pours) && wide
      && style.overflowX === 'visible' && style.display !== 'inline');
    if (cut && !named(one)) found.push(one.outerHTML.slice(0, 120));
  }
  return found;
}"""


def cut_off(page: Page) -> list[str]:
    """Return the elements of which something cannot be seen, and that have no title with all of it.

    What hides its overflow, and has more than fits; and cells, buttons, headings and figures that
    pour out over what is beside them. What scrolls is no such element, nor a field to write in.
    """
    found: list[str] = page.evaluate(_CUT)
    return found
