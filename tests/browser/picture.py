"""`python -m tests.browser.picture`: takes the README's picture of the demo."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, becomes
from tests.require import program
from tests.servers.up import BROWSER, Up

PICTURE = Path(__file__).parents[2] / "docs" / "img" / "demo.png"
PAGE = "/demo/dnn/lich-cat-dien-bao-tri"
HEAD = "Ngày đăng: 7:36 | 20/07/19 Lượt xem:"


def take(picture: Path) -> None:
    """Open the page as the first visitor of a new Luot, and take it once the visit is counted."""
    with tempfile.TemporaryDirectory(prefix="luot-picture-") as folder:
        up = Up(Path(folder) / "data")
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=program("chromium"), args=ARGUMENTS
                )
                page = browser.new_page(
                    user_agent=BROWSER,
                    viewport={"width": 1280, "height": 700},
                    locale="vi-VN",
                    reduced_motion="reduce",
                )
                page.clock.install()
                page.goto(up.url + PAGE)
                becomes(page, page.locator("article .meta").inner_text, f"{HEAD} 445")
                digits = page.locator("visitor-counter [part=digits]")
                becomes(page, digits.inner_text, "00008307145")
                page.screenshot(path=picture)
                browser.close()
        finally:
            up.end()


if __name__ == "__main__":
    take(PICTURE)
