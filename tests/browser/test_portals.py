"""The five portals of the demo in a real browser: their text is that of the portals they stand for.

The old counters of the demo lack one visit and one view, those of the first visitor, who is here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Request, Route, ViewportSize, expect

from services.standalone import demo
from services.standalone.demo import render
from services.standalone.demo.portals import ALL, INDEX, PORTALS, SAMPLE, Portal
from services.widget.scripts import VERSIONED
from tests.browser.admin import problems, up_with_past
from tests.browser.conftest import DESKTOP, Visit, becomes
from tests.servers.up import BROWSER, COUNTED_SECONDS, Up

PHONE: ViewportSize = {"width": 390, "height": 800}
OCTOBER_2023 = datetime(2023, 10, 5, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = up_with_past(tmp_path_factory.mktemp("up") / "data", "demo_at_noon")
    yield running
    assert running.end() == 0


def paths(portal: Portal) -> list[str]:
    return [path for path, page in render.pages().items() if page.portal is portal]


def block(page: Page) -> list[str]:
    """Return the lines of the block as a reader sees them."""
    text = page.locator("visitor-counter [part=block]").inner_text()
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_my_tho_shows_the_three_lines_of_its_portal(visit: Visit) -> None:
    page = visit("/demo/mytho")
    lines = ["Đang truy cập : 1", "Hôm nay: 70", "Tổng lượt truy cập: 907035"]
    becomes(page, lambda: block(page), lines)


def test_the_district_shows_its_odometer_its_six_lines_and_the_views_of_an_article(
    visit: Visit,
) -> None:
    page = visit("/demo/dnn/lich-cat-dien-bao-tri")
    lines = [
        "Thống kê truy cập",
        "00008307145",
        "Hôm nay: 6325",
        "Hôm qua: 7097",
        "Tháng này: 119944",
        "Tháng trước: 108517",
        "Năm này: 119944",
        "Năm trước: 1845672",
    ]
    becomes(page, lambda: block(page), lines)
    head = page.locator("article .meta")
    becomes(page, head.inner_text, "Ngày đăng: 7:36 | 20/07/19 Lượt xem: 445")


def test_da_nang_shows_the_views_of_an_article_and_of_its_list(visit: Visit) -> None:
    page = visit("/demo/danang/don-rac-bai-bien")
    head = page.locator("article .meta")
    becomes(page, head.inner_text, "Đăng ngày 24-11-2022 15:57, Lượt xem: 254")
    page = visit("/demo/danang")
    views = page.locator(".meta")
    shown = ["Lượt xem: 254", "Lượt xem: 1907", "Lượt xem: 586"]
    becomes(page, views.all_inner_texts, shown)


def test_ho_chi_minh_city_has_its_day_on_top_and_the_block_by_one_script(
    up: Up, browser: Browser
) -> None:
    context = browser.new_context(user_agent=BROWSER, viewport=DESKTOP)
    page = context.new_page()
    loaded: list[Request] = []
    page.on("request", lambda asked: loaded.append(asked))
    page.clock.install()

    def on_that_day(route: Route) -> None:
        found = demo.document("/demo/hcm", up.url, OCTOBER_2023)
        assert found is not None
        headers = {"Content-Security-Policy": found.policy, "Content-Type": found.media_type}
        route.fulfill(body=found.body, headers=headers)

    page.route("**/demo/hcm", on_that_day)
    page.goto(f"{up.url}/demo/hcm")

    day = page.get_by_text("Thứ Năm, ngày 5 tháng 10 năm 2023", exact=True)
    heading = page.locator("main").bounding_box()
    above = day.bounding_box()
    assert above is not None
    assert heading is not None
    assert above["y"] < heading["y"]
    becomes(
        page, lambda: block(page)[:3], ["Thống kê truy cập", "Đang truy cập: 1", "Hôm nay: 15.209"]
    )
    assert block(page)[-1] == "Tổng lượt truy cập: 48.911.321"
    assert page.locator("script[data-site]").count() == 1
    scripts = [asked.url.partition("?")[0] for asked in loaded if asked.resource_type == "script"]
    assert scripts == [f"{up.url}/counter.js", f"{up.url}{VERSIONED}/blocks.js"]
    context.close()


def test_nghe_an_counts_and_shows_without_any_script(up: Up, visit: Visit) -> None:
    page = visit("/demo/nghean/mua-cam-vao-vu", java_script_enabled=False)
    images = page.locator('img[src^="/counter/"], img[src^="/hit.gif"]')
    expect(images).to_have_count(3)
    for image in images.all():
        assert image.evaluate("(image) => image.complete && image.naturalWidth") > 0

    def counted() -> list[str]:
        asked = ("lines=online,total", "path=/demo/nghean/mua-cam-vao-vu")
        texts = [up.http.get(f"/counter/demo-nghean.txt?{query}").text for query in asked]
        return [line for text in texts for line in text.splitlines()]

    expected = ["Đang truy cập: 1", "Tổng lượt truy cập: 21.506.734", "Lượt xem: 762"]
    for _ in range(int(COUNTED_SECONDS * 4)):
        if counted() == expected:
            break
        page.wait_for_timeout(250)
    assert counted() == expected

    shown = images.nth(1).get_attribute("src")
    assert shown is not None
    badge = up.http.get(shown)
    assert badge.headers["content-type"] == "image/svg+xml"
    assert ">21.506.734</tspan>" in badge.text
    of_page = images.nth(0).get_attribute("src")
    assert of_page is not None
    assert ">762</tspan>" in up.http.get(of_page).text


def test_who_cannot_see_the_badge_of_nghe_an_finds_its_numbers_behind_it(visit: Visit) -> None:
    page = visit("/demo/nghean", java_script_enabled=False)
    page.get_by_role("link", name="Thống kê truy cập").click()
    page.wait_for_url("**/counter/demo-nghean.html?*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thống kê truy cập")
    expect(page.get_by_role("listitem").last).to_contain_text("Tổng lượt truy cập:")


def test_the_words_of_a_picture_stand_on_the_line_beside_it(visit: Visit) -> None:
    page = visit("/demo/nghean/mua-cam-vao-vu", java_script_enabled=False)
    date = page.locator(".meta > span").bounding_box()
    picture = page.locator(".meta img")
    shown = picture.bounding_box()
    assert date is not None
    assert shown is not None
    size = float(picture.evaluate("(image) => parseFloat(getComputedStyle(image).fontSize)"))
    # Its letters are 12 of its 20 high, their line 14 below the top.
    assert shown["height"] * 12 / 20 == pytest.approx(size, abs=0.2)
    middle = date["y"] + date["height"] / 2
    assert shown["y"] + shown["height"] / 2 == pytest.approx(middle, abs=2)


@pytest.mark.parametrize("portal", ALL, ids=lambda portal: portal.name)
def test_axe_finds_nothing_on_any_page(up: Up, browser: Browser, portal: Portal) -> None:
    # Without the policy, which would keep axe out as well.
    context = browser.new_context(viewport=DESKTOP, bypass_csp=True)
    page = context.new_page()
    found: dict[str, list[str]] = {}
    for path in paths(portal):
        page.goto(up.url + path)
        if page.locator("visitor-counter").count():
            page.locator("visitor-counter .known").wait_for()
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            if wrong := problems(page):
                found[f"{path}, {scheme}"] = wrong
    context.close()
    assert found == {}


@pytest.mark.parametrize("portal", ALL, ids=lambda portal: portal.name)
def test_every_page_keeps_to_its_policy_and_fits_a_phone(
    up: Up, visit: Visit, portal: Portal
) -> None:
    page = visit(portal.home, viewport={"width": 320, "height": 640})
    for path in paths(portal):
        page.goto(up.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") == 320, path


def test_the_next_portal_leads_round_to_the_first(visit: Visit) -> None:
    page = visit("/demo")
    for portal in (*PORTALS, SAMPLE, PORTALS[0]):
        page.get_by_role("link", name="Cổng tiếp theo").click()
        page.wait_for_url(f"**{portal.home}")
        expect(page.locator("#luot-title")).to_be_visible()
    page.get_by_role("link", name="Luot", exact=True).click()
    page.wait_for_url(f"**{INDEX.home}")


def test_the_lines_are_out_of_the_way_on_a_phone_until_they_are_asked_for(visit: Visit) -> None:
    page = visit("/demo/nghean", viewport=PHONE, java_script_enabled=False)
    panel = page.locator("#luot-panel")
    expect(panel).to_be_hidden()
    page.get_by_role("button", name="Mã nhúng").click()
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


@pytest.mark.parametrize("width", [1360, 390, 320])
def test_no_line_of_a_snippet_is_cut_off(visit: Visit, width: int) -> None:
    page = visit("/demo/mytho", viewport={"width": width, "height": 800})
    for portal in ALL:
        page.goto(page.url.partition("/demo")[0] + portal.home)
        if width < 1100:
            page.get_by_role("button", name="Mã nhúng").click()
        cut = "(codes) => codes.filter((code) => code.scrollWidth > code.clientWidth).length"
        assert page.locator("#luot-panel pre").evaluate_all(cut) == 0, portal.name


@pytest.mark.parametrize("path", ["/demo", "/demo/hcm"])
def test_the_panel_is_dark_beside_a_dark_portal(visit: Visit, path: str) -> None:
    page = visit(path, color_scheme="dark")
    ground = "(panel) => getComputedStyle(panel).backgroundColor"
    assert page.locator("#luot-panel").evaluate(ground) == "rgb(23, 29, 46)"
    page = visit("/demo/mytho", color_scheme="dark")
    assert page.locator("#luot-panel").evaluate(ground) == "rgb(245, 247, 251)"


def test_one_click_selects_a_whole_snippet(visit: Visit) -> None:
    page = visit("/demo/mytho")
    snippet = page.locator("#luot-panel pre").first
    snippet.click()
    assert page.evaluate("getSelection().toString().trim()") == snippet.inner_text().strip()
