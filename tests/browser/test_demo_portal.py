"""A person opens the pages of the site `demo` in a browser, and sees the counter count."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.admin import up_with_past
from tests.browser.conftest import Visit, becomes
from tests.servers.up import Up

TODAY = '[data-luot="today"]'
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = up_with_past(tmp_path_factory.mktemp("up") / "data", "demo_at_noon")
    yield running
    assert running.end() == 0


def first(page: Page, selector: str) -> Callable[[], str]:
    """Return what reads the first of some elements."""
    return page.locator(selector).first.inner_text


def test_two_visitors_see_todays_number_grow(up: Up, visit: Visit) -> None:
    page = visit("/demo")
    becomes(page, first(page, TODAY), "1")
    becomes(page, first(page, '[data-luot="online"]'), "1")
    another = visit("/demo")
    becomes(another, first(another, TODAY), "2")
    becomes(another, first(another, '[data-luot="total"]'), "00000002")
    another.reload()
    becomes(another, first(another, TODAY), "3")


def test_an_article_shows_its_own_views(up: Up, visit: Visit) -> None:
    page = visit("/demo/mau")
    article = page.locator('article a[href^="/demo/"]').first.get_attribute("href")
    assert article
    before = up.counter(path=article)["paths"][article]["views"]
    total = up.settled_total()
    reader = visit(article)
    becomes(reader, first(reader, "[data-luot-views]"), str(before + 1))
    up.wait_for_total(total + 1)


def test_a_bot_sees_the_number_and_does_not_change_it(up: Up, visit: Visit) -> None:
    before = up.settled_total() + 1
    up.view()
    up.wait_for_total(before)
    bot = visit("/demo", user_agent=BOT)
    total = bot.locator('[data-luot="total"]').first
    expect(total).not_to_have_text("00000000")
    # The page may be fresher by the second for which an answer is kept.
    shown = int(total.inner_text())
    assert shown >= before
    up.wait_for_total(shown)
    visit("/demo")
    up.wait_for_total(shown + 1)
