"""A person opens the pages of the site `demo` in a browser, and sees the counter count."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.servers.up import Up

COUNTED_MS = 15_000
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def today(page: Page, count: int) -> None:
    """Wait until a page shows so many views of today; its clock runs ahead to the next reading."""
    slot = page.locator('[data-luot="today"]').first
    for _ in range(COUNTED_MS // 500):
        if slot.inner_text() == str(count):
            return
        page.clock.run_for(60_000)
        page.wait_for_timeout(500)
    expect(slot).to_have_text(str(count))


def test_two_visitors_see_todays_number_grow(up: Up, visit: Visit) -> None:
    first = visit("/demo")
    today(first, 1)
    expect(first.locator('[data-luot="online"]').first).to_have_text("1")
    second = visit("/demo")
    today(second, 2)
    expect(second.locator('[data-luot="total"]').first).to_have_text("00000002")
    second.reload()
    today(second, 3)


def test_an_article_shows_its_own_views(up: Up, visit: Visit) -> None:
    page = visit("/demo/mau")
    article = page.locator('article a[href^="/demo/"]').first.get_attribute("href")
    assert article
    before = up.counter(path=article)["paths"][article]["views"]
    reader = visit(article)
    shown = reader.locator("[data-luot-views]").first
    for _ in range(COUNTED_MS // 500):
        reader.clock.run_for(60_000)
        reader.wait_for_timeout(500)
        if shown.inner_text() == str(before + 1):
            break
    expect(shown).to_have_text(str(before + 1))


def test_a_bot_sees_the_number_and_does_not_change_it(up: Up, visit: Visit) -> None:
    before = up.counter()["total"] + 1
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
