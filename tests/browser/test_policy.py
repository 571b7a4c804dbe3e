"""A strict Content-Security-Policy holds nothing up, and nothing is said against it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import Portal
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
