"""Pages that say they were not found, with `data-404`: views of other addresses are views."""

from playwright.sync_api import Page

from tests.browser.conftest import answered
from tests.browser.portal import Portal
from tests.browser.test_views import HIDDEN, LEFT_AND_BACK


def told(portal: Portal, views: int) -> list[tuple[str, str]]:
    """Return what was said of which path, once there is so much of it."""
    portal.wait(views=views)
    return [(view["n"], path) for view, path in zip(portal.views(), portal.paths(), strict=True)]


def test_a_page_that_was_not_found_is_so_again_when_it_comes_back(
    portal: Portal, page: Page
) -> None:
    portal.page("/gone", '<p id="noi-dung">không tìm thấy</p>', "data-404")
    page.goto(portal.url("/gone"))
    assert told(portal, 1) == [("404", "/gone")]
    page.evaluate("location.hash = '#noi-dung'")
    page.evaluate(LEFT_AND_BACK)
    assert told(portal, 2) == [("404", "/gone")] * 2


def test_what_an_application_showed_last_is_a_view_when_the_page_comes_back(
    portal: Portal, page: Page
) -> None:
    portal.page("/gone", "", "data-404")
    page.goto(portal.url("/gone"))
    portal.wait(views=1)
    page.evaluate("history.pushState({}, '', '/tin')")
    portal.wait(views=2)
    page.evaluate(LEFT_AND_BACK)
    assert told(portal, 3) == [("404", "/gone"), ("pageview", "/tin"), ("pageview", "/tin")]


def test_what_an_application_shows_before_it_is_seen_is_a_view(portal: Portal, page: Page) -> None:
    portal.page("/gone", "", "data-404")
    page.add_init_script(HIDDEN)
    page.goto(portal.url("/gone"))
    page.wait_for_function("window.__luot", polling=20)
    page.evaluate("history.pushState({}, '', '/tin')")
    answered(page)
    portal.wait(views=0)
    page.evaluate("show()")
    assert told(portal, 1) == [("pageview", "/tin")]


def test_a_view_that_the_portal_names_is_a_view(portal: Portal, page: Page) -> None:
    portal.page("/gone", "", "data-404 data-manual")
    page.goto(portal.url("/gone"))
    page.wait_for_function("window.luot", polling=20)
    page.evaluate("luot.view()")
    portal.wait(views=1)
    page.evaluate("luot.view('/don')")
    assert told(portal, 2) == [("404", "/gone"), ("pageview", "/don")]
