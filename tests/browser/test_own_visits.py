"""Not counting one's own visits: a link of the dashboard chooses it for this browser."""

import pytest
from playwright.sync_api import Page

from tests.browser.portal import PORTAL, Portal
from tests.browser.test_views import TODAY, shows


def choose(portal: Portal, page: Page, choice: str, path: str = "/") -> str:
    """Follow a link of the dashboard; return what the browser is told."""
    # A fragment alone would not load the page again, as a link from elsewhere does.
    page.goto("about:blank")
    with page.expect_event("dialog") as dialog:
        page.once("dialog", lambda shown: shown.accept())
        page.goto(f"{portal.url(path)}#luot={choice}")
    return dialog.value.message


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_own_visits_are_not_counted_until_that_is_taken_back(
    portal: Portal, page: Page, lang: str
) -> None:
    number = "6,325" if lang == "en" else "6.325"
    portal.page("/", TODAY, lang=lang)
    portal.page("/2")

    said = choose(portal, page, "off")
    assert ("not counted" if lang == "en" else "không được tính") in said
    assert PORTAL in said
    # The numbers are shown all the same, and the address is that of the page.
    assert shows(page, "span", number)
    assert page.url == portal.url("/")
    page.goto(portal.url("/2"))
    page.goto(portal.url("/"))
    assert shows(page, "span", number)
    assert not portal.views()

    assert ("again" if lang == "en" else "lại được tính") in choose(portal, page, "on")
    page.goto(portal.url("/2"))
    portal.wait(views=1)
    assert portal.paths() == ["/2"]


def test_a_page_without_a_block_takes_the_choice_as_well(portal: Portal, page: Page) -> None:
    portal.page("/")
    choose(portal, page, "off")
    page.goto(portal.url("/"))
    page.wait_for_load_state("networkidle")
    assert not portal.views()


def test_a_browser_that_keeps_nothing_says_so_and_goes_on_counting(
    portal: Portal, page: Page
) -> None:
    refuses = "Object.defineProperty(self, 'localStorage', {get() {throw new Error('refused')}})"
    page.add_init_script(refuses)
    portal.page("/", TODAY, lang="en")
    assert "still counted" in choose(portal, page, "off")
    page.goto(portal.url("/"))
    portal.wait(views=1)


def test_nothing_is_kept_in_a_readers_browser(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY)
    page.goto(portal.url("/"))
    assert shows(page, "span", "6.325")
    page.goto(f"{portal.url('/')}#luot-la-gi")
    assert page.evaluate("localStorage.length") == 0
    assert page.context.cookies() == []
