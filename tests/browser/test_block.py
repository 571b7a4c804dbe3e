"""<visitor-counter> and <most-read>: what they show, and whose word counts."""

import base64
import re
from hashlib import sha256
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from services.widget import scripts
from tests.browser.conftest import answered, let_minutes_pass
from tests.browser.portal import NUMBERS, TOP, Portal
from tests.browser.test_views import TODAY

BLOCKS = re.compile(r"/blocks\.js\?")
DNN = "today,yesterday,this_month,last_month,this_year,last_year"


def block(portal: Portal, page: Page, attributes: str = "", **more: Any) -> list[str]:
    """Open a page with one block; return its text, line by line as a reader sees it."""
    portal.page("/", f"<visitor-counter {attributes}>đang tải</visitor-counter>", **more)
    page.goto(portal.url("/"))
    page.locator("visitor-counter .known").wait_for()
    return page.locator("visitor-counter .known").inner_text().splitlines()


@pytest.mark.parametrize(
    ("lang", "attributes", "first", "last"),
    [
        ("vi", "", "Đang truy cập: 12", "Tổng lượt truy cập: 8.307.145"),
        ("en-GB", "", "Online: 12", "Total: 8,307,145"),
        ("en", 'lang="vi"', "Đang truy cập: 12", "Tổng lượt truy cập: 8.307.145"),
        ("fr", "", "Đang truy cập: 12", "Tổng lượt truy cập: 8.307.145"),
    ],
)
def test_a_block_is_a_list_in_the_pages_language(
    portal: Portal, page: Page, lang: str, attributes: str, first: str, last: str
) -> None:
    told = block(portal, page, attributes, lang=lang)
    assert told[0] in ("Thống kê truy cập", "Visitor statistics")
    assert (told[1], told[-1], len(told)) == (first, last, 8)
    assert page.locator("visitor-counter").get_by_role("list").count() == 1
    assert page.locator("visitor-counter").get_by_role("listitem").count() == 7
    assert page.locator("visitor-counter").get_by_role("group").get_attribute("lang") == (
        "en" if first == "Online: 12" else "vi"
    )


def test_the_block_of_a_district_portal(portal: Portal, page: Page) -> None:
    portal.numbers |= {"this_year": 119944}
    told = block(portal, page, f'preset="dnn" digits="11" lines="{DNN}"')
    assert told == [
        "Thống kê truy cập",
        "00008307145",
        "Hôm nay: 6.325",
        "Hôm qua: 7.097",
        "Tháng này: 119.944",
        "Tháng trước: 108.517",
        "Năm này: 119.944",
        "Năm trước: 1.845.672",
    ]


def test_the_block_of_a_city_portal(portal: Portal, page: Page) -> None:
    portal.numbers |= {"online": 1, "today": 70, "total": 907035}
    told = block(
        portal,
        page,
        'preset="liferay" heading="" lines="online, today,total" label-online="Đang truy cập "',
    )
    assert told == ["Đang truy cập : 1", "Hôm nay: 70", "Tổng lượt truy cập: 907.035"]


def test_a_footer_is_one_line_in_the_words_of_footers(portal: Portal, page: Page) -> None:
    told = block(portal, page, 'heading="" layout="inline" wording="footer" unit="lượt"')
    assert " ".join(told).split(" | ") == [
        "Online: 12",
        "Trong ngày: 6.325 lượt",
        "Trong tháng: 119.944 lượt",
        "Tổng lượt truy cập: 8.307.145 lượt",
    ]
    assert len(told) == 1


def test_icons_leave_words_and_parts_as_they_are(portal: Portal, page: Page) -> None:
    plain = block(portal, page, 'lines="online,total"')
    assert block(portal, page, 'lines="online,total" icons="tile"') == plain
    assert page.locator("visitor-counter [part=icon][aria-hidden=true]").count() == 2
    assert page.locator("visitor-counter [part~=line] > [part=label]").count() == 2
    assert page.locator("visitor-counter").get_by_role("listitem").count() == 2


def test_every_line_can_be_shown(portal: Portal, page: Page) -> None:
    told = block(portal, page, f'lang="en" heading="" lines="{",".join(NUMBERS)},no_such"')
    numbers = {**NUMBERS, "peak": 77}
    assert [line.split(": ")[1] for line in told] == [f"{count:,}" for count in numbers.values()]


def test_the_sites_settings_hold_where_attributes_are_silent(portal: Portal, page: Page) -> None:
    portal.numbers["display"] = {
        "lines": ["online", "peak"],
        "lang": "en",
        "theme": "dark",
        "preset": "drupal",
        "digits": 9,
        "format": "dot",
        "heading": "Our readers",
        "labels": {"online": "Now"},
    }
    assert block(portal, page) == ["Our readers", "008307145", "Now: 12", "Most at once: 77"]
    assert page.locator("visitor-counter .drupal.dark").count() == 1

    told = block(
        portal,
        page,
        'lines="today" lang="vi" theme="light" preset="joomla" digits="0" format="comma"'
        ' heading="" label-today="Nay"',
    )
    assert told == ["Nay: 6,325"]
    assert page.locator("visitor-counter .joomla.light").count() == 1


def test_digits_are_one_number_to_a_screen_reader(portal: Portal, page: Page) -> None:
    block(portal, page, 'digits="11"')
    digits = page.locator("visitor-counter").get_by_role("img")
    assert digits.get_attribute("aria-label") == "Tổng lượt truy cập: 8307145"
    assert digits.locator("[part=digit]").all_inner_texts() == list("00008307145")
    assert page.locator("visitor-counter [aria-live]").count() == 0
    expect(page.locator("visitor-counter").get_by_role("group")).to_have_accessible_name(
        "Thống kê truy cập"
    )


def test_a_number_longer_than_its_digits_is_shown_whole(portal: Portal, page: Page) -> None:
    assert block(portal, page, 'digits="3" lines=""')[1:] == ["8307145"]


def test_a_refresh_changes_numbers_in_their_place(portal: Portal, page: Page) -> None:
    block(portal, page, 'digits="8"')
    page.evaluate(
        "window.kept = document.querySelector('visitor-counter').shadowRoot.querySelector('li')"
    )
    portal.numbers = NUMBERS | {"total": 8307146, "online": 13}
    page.clock.run_for(60_000)
    expect(page.locator("visitor-counter .known")).to_contain_text("13")
    expect(page.locator("[part=digits]")).to_have_text("08307146")
    assert page.evaluate("kept.isConnected && kept.innerText") == "Đang truy cập: 13"


def test_blocks_of_two_measures_are_read_each_once(portal: Portal, page: Page) -> None:
    block_of = '<visitor-counter metric="{}"></visitor-counter>'.format
    portal.page("/", TODAY + block_of("views") * 2 + block_of("visitors"), 'data-metric="views"')
    page.goto(portal.url("/"))
    expect(page.locator("visitor-counter .known")).to_have_count(3)
    asked = sorted(asked.query["metric"][0] for asked in portal.reads())
    assert asked == ["views", "visitors"]


def test_what_the_element_holds_is_shown_until_the_first_answer(portal: Portal, page: Page) -> None:
    portal.stalled = {"/api/counter/mytho"}
    portal.page("/", "<visitor-counter>chưa có số liệu</visitor-counter>")
    page.goto(portal.url("/"))
    page.locator("visitor-counter [part=block]").wait_for(state="attached")
    expect(page.get_by_text("chưa có số liệu")).to_be_visible()
    expect(page.locator("visitor-counter [part=block]")).to_be_hidden()

    portal.stalled = set()
    expect(page.locator("visitor-counter [part=block]")).to_be_visible()
    expect(page.locator("visitor-counter slot")).to_have_count(0)


def test_a_block_that_comes_later_is_filled(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY)
    page.goto(portal.url("/"))
    expect(page.locator("span").first).to_have_text("6.325")
    append = "document.body.append(document.createElement('visitor-counter'))"
    page.evaluate(f"history.pushState({{}}, '', '/b'); {append}")
    page.clock.run_for(600)
    expect(page.locator("visitor-counter .known")).to_contain_text("6.325")
    page.evaluate(append)
    expect(page.locator("visitor-counter .known")).to_have_count(2)
    portal.wait(views=2, reads=2)


def test_an_element_of_the_portals_own_by_that_name_stays(portal: Portal, page: Page) -> None:
    portal.page("/", f"<visitor-counter>của cổng</visitor-counter>{TODAY}")
    page.add_init_script("customElements.define('visitor-counter', class extends HTMLElement {})")
    page.goto(portal.url("/"))
    expect(page.locator("span")).to_have_text("6.325")
    assert page.locator("visitor-counter").inner_text() == "của cổng"


def test_a_page_that_is_counted_in_lower_case_has_the_title_of_its_link(
    portal: Portal, page: Page
) -> None:
    portal.top = [{"path": "/tin/bài-ba.aspx", "views": 2}]
    portal.page("/", '<most-read></most-read><a href="/Tin/Bài-Ba.aspx">Bài thứ ba</a>')
    page.goto(portal.url("/"))
    page.locator("most-read .known").wait_for()
    assert page.locator("most-read a").all_inner_texts() == ["Bài thứ ba"]


def test_the_most_read_pages_are_links(portal: Portal, page: Page) -> None:
    portal.top = [{"path": "/", "views": 9}, {"path": "//evil.example/x", "views": 3}]
    portal.top += [{"path": '/<img src=x>"', "views": 2}, {"path": "/tin/bài-ba", "views": 2}]
    portal.top += [{"path": "/tin/le-hoi_2026.html?id=7", "views": 2}, *TOP]
    portal.page(
        "/",
        '<most-read period="30d" limit="4" format="dot"></most-read>'
        '<a href="/tin/bài-ba/"> Bài thứ ba </a><a href="http://other.example/bai-0">khác</a>',
    )
    page.goto(portal.url("/"))
    page.locator("most-read .known").wait_for()
    links = page.locator("most-read a")
    assert links.all_inner_texts() == ["X", '<img src=x>"', "Bài thứ ba", "Le hoi 2026"]
    hosts = links.evaluate_all("(links) => links.map((link) => link.host)")
    assert set(hosts) == {portal.url("").removeprefix("http://")}
    assert page.locator("most-read li").first.inner_text().splitlines()[-1] == "3"
    (asked,) = portal.of("GET", "/api/top/mytho")
    assert asked.query == {"period": ["30d"], "limit": ["5"]}
    portal.wait(views=1, reads=0)


def links(page: Page) -> list[tuple[str, str | None]]:
    """Return text and address of each most read page."""
    page.locator("most-read .known").wait_for()
    return [
        (link.inner_text(), link.get_attribute("href"))
        for link in page.locator("most-read a").all()
    ]


def test_the_title_that_luot_knows_comes_before_the_text_of_a_link(
    portal: Portal, page: Page
) -> None:
    portal.top = [
        {"path": "/tin/1", "views": 3, "title": "Lịch tiếp công dân"},
        {"path": "/tin/le-hoi", "views": 2, "title": "Lễ hội Hoa"},
        {"path": "/tin/3", "views": 1},
    ]
    portal.page("/", '<most-read></most-read><a href="/tin/1">Xem thêm</a><a href="/tin/3">Ba</a>')
    page.goto(portal.url("/"))
    assert [text for text, _ in links(page)] == ["Lịch tiếp công dân", "Lễ hội Hoa", "Ba"]


def test_the_most_read_routes_of_an_application_are_links_to_them(
    portal: Portal, page: Page
) -> None:
    portal.hash_routes = True
    portal.top = [
        {"path": f"/{path}", "views": 9} for path in ("tin/1", "tin/hai", "app/x", "lien")
    ]
    portal.page(
        "/",
        '<most-read></most-read><a href="#!/tin/hai/">Tin thứ hai</a>'
        '<a href="/app/#/x">Ứng dụng</a><a href="/lien#cuoi">Liên hệ</a><a href="#cuoi">Cuối</a>',
    )
    page.goto(portal.url("/"))
    assert links(page) == [
        ("1", portal.url("/#/tin/1")),
        ("Tin thứ hai", portal.url("/#!/tin/hai/")),
        ("Ứng dụng", portal.url("/app/#/x")),
        ("Liên hệ", portal.url("/lien#cuoi")),
    ]


def test_a_pinned_script_takes_only_the_elements_that_were_built_with_it(
    portal: Portal, page: Page
) -> None:
    pinned = (
        f'integrity="{scripts.integrity(scripts.built(scripts.COUNTER))}" crossorigin="anonymous"'
    )
    tag = portal.tag(pinned, f"{scripts.VERSIONED}/counter.js")
    told = block(portal, page, head=tag)
    assert told[1] == "Đang truy cập: 12"
    (part,) = page.locator('script[src*="blocks.js"]').all()
    src = str(part.get_attribute("src")).partition("?")[0]
    assert src == f"{portal.luot}{scripts.VERSIONED}/blocks.js"
    digest = base64.b64encode(sha256(scripts.built(scripts.BLOCKS)).digest()).decode()
    assert part.get_attribute("integrity") == f"sha256-{digest}"

    page.route(BLOCKS, lambda route: route.fulfill(body="window.changed = 1"))
    portal.page("/changed", "<visitor-counter>như cũ</visitor-counter>", head=tag)
    with page.expect_console_message(lambda message: "integrity" in message.text):
        page.goto(portal.url("/changed"))
    portal.wait(views=2, reads=1)
    expect(page.get_by_text("như cũ")).to_be_visible()
    assert page.evaluate("window.changed") is None


def test_elements_that_could_not_be_loaded_are_tried_again(portal: Portal, page: Page) -> None:
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        failed.append(route.request.url)
        if len(failed) == 1:
            route.abort()
        else:
            route.continue_()

    page.route(BLOCKS, fail_once)
    portal.page("/", "<visitor-counter></visitor-counter>")
    page.goto(portal.url("/"))
    portal.wait(views=1, reads=0)
    page.clock.run_for(60_000)
    page.locator("visitor-counter .known").wait_for()
    assert len(failed) == 2


def test_elements_that_are_blocked_are_tried_less_and_less(portal: Portal, page: Page) -> None:
    tried: list[str] = []

    def fail(route: Route) -> None:
        tried.append(route.request.url)
        route.abort()

    page.route(BLOCKS, fail)
    portal.page("/", "<visitor-counter></visitor-counter>")
    page.goto(portal.url("/"))
    portal.wait(views=1, reads=0)
    let_minutes_pass(page, 60)
    assert 3 <= len(tried) <= 9


def test_an_attribute_that_changes_changes_the_block_at_once(portal: Portal, page: Page) -> None:
    assert len(block(portal, page)) == 8
    shown = page.locator("visitor-counter .known")
    page.evaluate("document.querySelector('visitor-counter').setAttribute('lines', 'today')")
    assert shown.inner_text().splitlines() == ["Thống kê truy cập", "Hôm nay: 6.325"]
    page.evaluate("document.querySelector('visitor-counter').setAttribute('metric', 'views')")
    page.clock.run_for(100)
    portal.wait(views=1, reads=2)
    assert portal.reads()[1].query == {"metric": ["views"]}


def test_a_block_without_lines_has_no_list(portal: Portal, page: Page) -> None:
    assert block(portal, page, 'lines="" digits="8" heading=""') == ["08307145"]
    assert page.locator("visitor-counter ul").count() == 0


def test_most_read_pages_are_not_asked_for_again_where_they_are_refused(
    portal: Portal, page: Page
) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=403, headers={"Access-Control-Allow-Origin": "*"}, body="{}")

    page.route("**/api/top/**", refuse)
    portal.page("/", f"{TODAY}<most-read>chưa có</most-read>")
    page.goto(portal.url("/"))
    expect(page.get_by_text("chưa có")).to_be_visible()
    let_minutes_pass(page, 20)
    assert len(asked) == 1
    assert page.locator("most-read [part=block]").is_hidden()


def test_most_read_pages_are_not_asked_for_again_before_they_are_answered(
    portal: Portal, page: Page
) -> None:
    waiting: list[Route] = []
    page.route("**/api/top/**", lambda route: waiting.append(route))
    portal.page("/", f"{TODAY}<most-read>chưa có</most-read>")
    page.goto(portal.url("/"))
    expect(page.get_by_text("chưa có")).to_be_visible()
    let_minutes_pass(page, 5)
    [route] = waiting
    route.continue_()
    page.locator("most-read .known").wait_for()
    let_minutes_pass(page, 5)
    assert len(waiting) > 1


def test_most_read_pages_that_fail_are_asked_for_less_and_less(portal: Portal, page: Page) -> None:
    page.route("**/api/top/**", lambda route: route.abort())
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/api/top/" in one.url else None)
    portal.page("/", f"{TODAY}<most-read>chưa có</most-read>")
    page.goto(portal.url("/"))
    expect(page.get_by_text("chưa có")).to_be_visible()
    let_minutes_pass(page, 60)
    assert 3 <= len(asked) <= 9


def test_a_list_without_pages_is_not_shown(portal: Portal, page: Page) -> None:
    portal.top = [{"path": "/", "views": 3}]
    portal.page("/", "<most-read>chưa có</most-read>")
    with page.expect_response("**/api/top/**"):
        page.goto(portal.url("/"))
    answered(page)
    page.locator("most-read [part=block]").wait_for(state="hidden")
    expect(page.get_by_text("chưa có")).to_be_visible()
