"""A strict Content-Security-Policy holds nothing up, and nothing is said against it."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import HEARD, becomes
from tests.browser.portal import Portal
from tests.browser.test_block import BLOCKS
from tests.browser.test_views import TODAY


@pytest.mark.parametrize("types", ["", "; require-trusted-types-for 'script'; trusted-types luot"])
def test_everything_works_under_a_strict_policy(portal: Portal, page: Page, types: str) -> None:
    luot = portal.luot
    policy = (
        f"default-src 'none'; script-src {luot}; connect-src {luot}; img-src data: {luot}{types}"
    )
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.add_init_script(
        "window.broken = []; addEventListener('securitypolicyviolation',"
        " (event) => broken.push(event.effectiveDirective + ' ' + event.blockedURI))"
    )
    portal.page(
        "/",
        f'{TODAY}<visitor-counter preset="dnn" digits="11"></visitor-counter>'
        "<most-read></most-read>",
        headers={"Content-Security-Policy": policy},
    )
    page.goto(portal.url("/"))

    expect(page.locator("span").first).to_have_text("6.325")
    expect(page.locator("visitor-counter .known")).to_contain_text("Hôm nay: 6.325")
    expect(page.locator("most-read .known a")).to_have_count(10)
    head = page.locator("visitor-counter [part=heading]")
    assert head.evaluate("(head) => getComputedStyle(head).color") == "rgb(255, 255, 255)"
    assert page.evaluate("broken") == []
    assert said == []
    portal.wait(views=1, reads=1)


def test_what_a_policy_of_trusted_types_allows_once_is_enough_for_a_second_try(
    portal: Portal, page: Page
) -> None:
    tried: list[str] = []

    def fail_once(route: Route) -> None:
        tried.append(route.request.url)
        if len(tried) == 1:
            route.abort()
        else:
            route.continue_()

    page.route(BLOCKS, fail_once)
    page.add_init_script(HEARD)
    types = "require-trusted-types-for 'script'; trusted-types luot"
    portal.page("/", TODAY, headers={"Content-Security-Policy": types})
    page.goto(portal.url("/"))
    portal.wait(views=1, reads=0)
    becomes(page, page.locator("span").inner_text, "6.325")
    assert len(tried) == 2
    assert page.evaluate("heard") == []
