"""Numbers of other sites on a page, and places within open shadow roots."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import NUMBERS, SITE, Portal
from tests.browser.test_views import shows

HUE = {**NUMBERS, "online": 0, "total": 2024, "display": {"preset": "dnn"}}
VIEWED = {"paths": {"/bai-1": {"views": 445, "today": 3}}}
CARD = """<script type="module">
customElements.define("tin-bai", class extends HTMLElement {
    connectedCallback() {
        const root = this.attachShadow({ mode: this.getAttribute("mode") || "open" });
        const fill = () => root.innerHTML = `<p>Lượt xem: <b data-luot-views="/bai-1">…</b></p>
            <visitor-counter lines="total" heading=""></visitor-counter>`;
        this.hasAttribute("late") ? setTimeout(fill, 50) : fill();
    }
});
</script>"""
INNER = "document.querySelector('tin-bai').shadowRoot.querySelector({!r})"


def of(portal: Portal, site: str) -> int:
    return len(portal.of("GET", f"/api/counter/{site}"))


def test_blocks_and_numbers_of_two_sites_are_each_right_and_the_script_counts_one(
    portal: Portal, page: Page
) -> None:
    portal.others["hue"] = HUE
    portal.page(
        "/",
        '<visitor-counter lines="online,total"></visitor-counter>'
        '<visitor-counter site="hue" lines="online,total"></visitor-counter>'
        '<span data-luot="total"></span><b data-luot="total" data-luot-site="hue"></b>'
        '<most-read site="hue" limit="3"></most-read>',
    )
    page.goto(portal.url("/"))
    own, other = page.locator("visitor-counter").all()
    expect(own.locator("[part~=line-total]")).to_contain_text("8.307.145")
    expect(other.locator("[part~=line-total]")).to_contain_text("2.024")
    # The reader is online on the site that counts, and on no other.
    expect(other.locator("[part~=line-online]")).to_contain_text("0")
    expect(other.locator(".dnn")).to_have_count(1)
    expect(own.locator(".dnn")).to_have_count(0)
    assert shows(page, "span[data-luot]", "8.307.145")
    assert shows(page, "b", "2.024")
    expect(page.locator("most-read li")).to_have_count(3)
    assert len(portal.of("GET", "/api/top/hue")) == 1
    portal.wait(views=1, reads=1)
    assert [view["d"] for view in portal.views()] == [SITE]
    assert of(portal, "hue") == 1


@pytest.mark.parametrize("host", ["hue.example", ""])
def test_the_most_read_pages_of_another_site_are_links_to_it(
    portal: Portal, page: Page, host: str
) -> None:
    portal.host = host
    portal.top = [{"path": "/tin/1", "views": 3}, {"path": "/tin/2", "views": 2}]
    portal.page(
        "/",
        '<most-read site="hue"></most-read><a href="/tin/1">Tin của cổng này</a>'
        '<a href="http://hue.example/tin/2">Tin thứ hai của Huế</a><a href="mailto:/tin/1">thư</a>',
    )
    page.goto(portal.url("/"))
    page.locator("most-read .known").wait_for()
    links = page.locator("most-read [part=link]")
    there = [link.get_attribute("href") for link in links.all()]
    if host:
        assert links.all_inner_texts() == ["1", "Tin thứ hai của Huế"]
        assert there == ["https://hue.example/tin/1", "http://hue.example/tin/2"]
    else:
        assert links.all_inner_texts() == ["1", "2"]
        assert there == [None, None]


def test_a_block_that_names_another_site_later_shows_that(portal: Portal, page: Page) -> None:
    portal.others["hue"] = HUE
    portal.page("/", '<visitor-counter lines="total"></visitor-counter>')
    page.goto(portal.url("/"))
    total = page.locator("visitor-counter [part~=line-total]")
    expect(total).to_contain_text("8.307.145")
    page.evaluate("document.querySelector('visitor-counter').setAttribute('site', 'hue')")
    page.clock.run_for(100)
    expect(total).to_contain_text("2.024")


@pytest.mark.parametrize("how", ["", "late"])
def test_places_in_an_open_shadow_root_are_filled(portal: Portal, page: Page, how: str) -> None:
    portal.numbers |= VIEWED
    portal.page("/", f"<tin-bai {how}></tin-bai>{CARD}", "data-shadow")
    page.goto(portal.url("/"))
    page.clock.run_for(100)
    expect(page.locator("tin-bai b")).to_have_text("445")
    expect(page.locator("tin-bai visitor-counter [part~=value]")).to_have_text("8.307.145")
    portal.wait(views=1)
    assert all(asked.query["path"] == ["/bai-1"] for asked in portal.reads()[-1:])


def test_a_shadow_root_that_comes_later_or_names_another_page_is_filled_at_once(
    portal: Portal, page: Page
) -> None:
    portal.numbers |= {"paths": {**VIEWED["paths"], "/bai-2": {"views": 9, "today": 9}}}
    portal.page("/", f'<i data-luot="today"></i>{CARD}')
    page.goto(portal.url("/"))
    assert shows(page, "i", "6.325")
    # In a page that has a place of its own, no attribute is needed.
    page.evaluate("document.body.append(document.createElement('tin-bai'))")
    page.clock.run_for(100)
    expect(page.locator("tin-bai b")).to_have_text("445")
    page.evaluate(f"void ({INNER.format('b')}.dataset.luotViews = '/bai-2')")
    page.clock.run_for(100)
    expect(page.locator("tin-bai b")).to_have_text("9")


def test_a_page_without_a_place_loads_no_second_script_for_its_shadow_roots(
    portal: Portal, page: Page
) -> None:
    portal.page("/", f"<tin-bai></tin-bai>{CARD}")
    page.goto(portal.url("/"))
    portal.wait(views=1, reads=0)
    assert page.locator("tin-bai b").text_content() == "…"


def test_a_closed_shadow_root_is_left_alone(portal: Portal, page: Page) -> None:
    portal.page("/", f'<tin-bai mode="closed"></tin-bai><i data-luot="today"></i>{CARD}')
    page.goto(portal.url("/"))
    assert shows(page, "i", "6.325")
    portal.wait(views=1)
    assert all("path" not in asked.query for asked in portal.reads())
