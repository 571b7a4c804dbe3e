"""The site in the script's address, for what copies only that: tag managers, CMS settings."""

import pytest
from playwright.sync_api import Page

from tests.browser.portal import SITE, Portal
from tests.browser.test_views import TODAY, shows

ADDRESS = f"/counter.js?site={SITE}"
BLOCK = "<visitor-counter></visitor-counter>"


def loaded(address: str) -> str:
    """Return a script that loads another as tag managers do: by its address alone."""
    return (
        "<script>addEventListener('load', () => {const tag = document.createElement('script');"
        f"tag.src = '{address}'; document.head.append(tag)}})</script>"
    )


@pytest.mark.parametrize("later", [False, True], ids=["written", "added later"])
def test_the_address_of_the_script_may_name_the_site(
    portal: Portal, page: Page, later: bool
) -> None:
    address = portal.luot + ADDRESS
    head = loaded(address) if later else f'<script async src="{address}"></script>'
    portal.page("/", TODAY + BLOCK, head=head)
    page.goto(portal.url("/"))

    assert shows(page, "[data-luot]", "6.325")
    page.wait_for_function("document.querySelector('visitor-counter').shadowRoot")
    portal.wait(views=1)
    assert portal.views()[0]["d"] == SITE
    assert portal.reads()


def test_the_attribute_is_stronger_than_the_address(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY, head=portal.tag(path="/counter.js?site=another"))
    page.goto(portal.url("/"))

    assert shows(page, "span", "6.325")
    portal.wait(views=1, reads=1)
    assert portal.views()[0]["d"] == SITE


def test_a_frame_knows_that_the_page_around_it_counts(portal: Portal, page: Page) -> None:
    head = f'<script src="{portal.luot + ADDRESS}"></script>'
    portal.page("/inner", TODAY, head=head)
    portal.page("/", '<iframe src="/inner"></iframe>', head=head)
    page.goto(portal.url("/"))

    page.frame_locator("iframe").locator("span", has_text="6.325").wait_for(timeout=30_000)
    portal.wait(views=1)
    assert portal.paths() == ["/"]


def test_a_script_without_a_site_does_nothing(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY, head=f'<script src="{portal.luot}/counter.js"></script>')
    page.goto(portal.url("/"))

    page.wait_for_load_state("networkidle")
    assert not portal.views()
    assert not portal.reads()
    assert page.evaluate("self.__luot") is None
