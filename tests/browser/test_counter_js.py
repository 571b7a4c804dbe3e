"""What the script sends, how often it reads, and what it writes into a portal's page."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Portal

NUMBERS = {
    "online": 12,
    "today": 6325,
    "yesterday": 7097,
    "this_week": 20000,
    "last_week": 30000,
    "this_month": 119944,
    "last_month": 108517,
    "this_year": 119945,
    "last_year": 1845672,
    "total": 8307145,
}
HIDDEN = """
    let seen = "hidden";
    Object.defineProperty(document, "visibilityState", { get: () => seen });
    window.show = () => { seen = "visible"; document.dispatchEvent(new Event("visibilitychange")) };
"""
TODAY = '<span data-luot="today">…</span>'


def text_of(page: Page, selector: str, text: str) -> bool:
    """Tell whether an element comes to hold a text, without the page's own timers."""
    page.locator(selector, has_text=text).wait_for(timeout=5000)
    return page.locator(selector).inner_text() == text


def test_a_view_is_sent_once_as_plain_text(portal: Portal, page: Page) -> None:
    portal.page("/tin-tức")
    page.goto(portal.url("/tin-tức?id=7#cuối"), referer="http://search.example/?q=luot")
    portal.wait(views=1, reads=0)

    event = next(asked for asked in portal.asked if asked.method == "POST")
    assert event.headers["content-type"].startswith("text/plain")
    assert "cookie" not in event.headers
    assert portal.views() == [
        {
            "n": "pageview",
            "u": portal.url("/tin-t%E1%BB%A9c?id=7#cu%E1%BB%91i"),
            "d": "mytho",
            "r": "http://search.example/?q=luot",
        }
    ]
    assert "OPTIONS" not in {asked.method for asked in portal.asked}


def test_slots_are_filled_after_the_view_was_sent(portal: Portal, page: Page) -> None:
    portal.numbers = NUMBERS
    portal.page("/", f'{TODAY}<b data-luot="total" data-digits="11">…</b><i data-luot="no">?</i>')
    page.goto(portal.url("/"))

    assert text_of(page, "span", "6325")
    assert text_of(page, "b", "00008307145")
    assert text_of(page, "i", "?")
    order = [asked.path for asked in portal.asked if asked.path.startswith("/api/")]
    assert order == ["/api/event", "/api/counter/mytho"]


def test_the_own_view_is_seen_soon_and_then_numbers_are_read_once_a_minute(
    portal: Portal, page: Page
) -> None:
    portal.numbers = {"today": 1}
    portal.page("/", TODAY)
    page.goto(portal.url("/"))
    assert text_of(page, "span", "1")

    portal.numbers = {"today": 2}
    page.clock.run_for(2600)
    assert text_of(page, "span", "2")
    page.clock.run_for(57_000)
    portal.wait(views=1, reads=2)
    page.clock.run_for(600)
    portal.wait(views=1, reads=3)
    page.clock.run_for(60_000)
    portal.wait(views=1, reads=4)


def test_nothing_is_read_while_nobody_looks(portal: Portal, page: Page) -> None:
    portal.numbers = NUMBERS
    portal.page("/", TODAY)
    page.goto(portal.url("/"))
    assert text_of(page, "span", "6325")
    page.clock.run_for(3000)
    portal.wait(reads=2)

    page.evaluate("Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })")
    page.clock.run_for(600_000)
    portal.wait(views=1, reads=2)


def test_a_page_without_a_slot_sends_its_view_and_reads_nothing(portal: Portal, page: Page) -> None:
    portal.page("/")
    page.goto(portal.url("/"))
    portal.wait(views=1)
    page.clock.run_for(120_000)

    portal.wait(views=1, reads=0)


def test_views_of_this_and_of_other_pages_are_read_in_one_call(portal: Portal, page: Page) -> None:
    portal.numbers = {
        "paths": {"/list?nv=a": {"views": 445, "today": 1}, "/b": {"views": 7, "today": 0}}
    }
    portal.page(
        "/list",
        '<span data-luot-views></span><b data-luot-views="/b" data-digits="3"></b>'
        '<i data-luot-views="/c">–</i><u data-luot-views="/b"></u>',
    )
    page.goto(portal.url("/list?nv=a"))

    assert text_of(page, "span", "445")
    assert text_of(page, "b", "007")
    assert text_of(page, "u", "7")
    assert text_of(page, "i", "–")
    assert [asked.query for asked in portal.reads()] == [{"path": ["/list?nv=a", "/b", "/c"]}]


@pytest.mark.parametrize(
    ("lang", "attributes", "first", "last"),
    [
        ("vi", "", "Đang truy cập", "Tổng lượt truy cập"),
        ("en-GB", "", "Online", "Total visits"),
        ("en", 'data-lang="vi"', "Đang truy cập", "Tổng lượt truy cập"),
        ("fr", "", "Đang truy cập", "Tổng lượt truy cập"),
    ],
)
def test_a_block_is_a_definition_list_in_the_pages_language(
    portal: Portal, page: Page, lang: str, attributes: str, first: str, last: str
) -> None:
    portal.numbers = NUMBERS
    portal.page("/", f"<div data-luot-block {attributes}>đang tải</div>", lang=lang)
    page.goto(portal.url("/"))

    page.locator("dl.luot").wait_for()
    assert page.locator("dt").first.inner_text() == first
    assert page.locator("dt").last.inner_text() == last
    assert page.locator("dd").all_inner_texts() == [str(count) for count in NUMBERS.values()]
    assert page.locator("[style]").count() == 0
    page.clock.run_for(2600)
    portal.wait(reads=2)
    assert page.locator("dl").count() == 1


def test_a_new_path_without_a_new_page_is_a_view(portal: Portal, page: Page) -> None:
    portal.page("/a")
    page.goto(portal.url("/a"))
    portal.wait(views=1)

    page.evaluate("history.pushState({}, '', '/b')")
    portal.wait(views=2)
    page.evaluate("history.pushState({}, '', '/b?page=2')")
    page.evaluate("history.pushState({}, '', '#part')")
    page.evaluate("new Promise((done) => { addEventListener('popstate', done); history.go(-3) })")
    portal.wait(views=3)

    assert [view["u"] for view in portal.views()] == [
        portal.url(path) for path in ("/a", "/b", "/a")
    ]
    assert portal.views()[1]["r"] == portal.url("/a")


def test_a_page_that_comes_back_from_the_cache_is_a_view(portal: Portal, page: Page) -> None:
    portal.page("/")
    page.goto(portal.url("/"))
    portal.wait(views=1)

    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false }))")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    portal.wait(views=2)


def test_a_hidden_page_is_a_view_when_it_is_first_seen(portal: Portal, page: Page) -> None:
    portal.numbers = NUMBERS
    portal.page("/", TODAY)
    page.add_init_script(HIDDEN)
    page.goto(portal.url("/"))
    page.clock.run_for(120_000)
    portal.wait(views=0, reads=0)

    page.evaluate("show()")
    portal.wait(views=1)
    page.evaluate("show()")
    assert text_of(page, "span", "6325")
    portal.wait(views=1, reads=1)


def test_the_script_found_twice_counts_once(portal: Portal, page: Page) -> None:
    again = '<script src="/counter.js?again" data-site="mytho"></script>'
    portal.page("/", f'<p id="luot">{TODAY}</p>{again}{again}')
    portal.numbers = NUMBERS
    page.goto(portal.url("/"))

    assert text_of(page, "span", "6325")
    portal.wait(views=1, reads=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_own_machine_reads_but_does_not_count_unless_asked_to(
    portal: Portal, page: Page, host: str
) -> None:
    portal.numbers = NUMBERS
    portal.page("/", TODAY)
    portal.page("/counted", TODAY, attributes="data-local")
    page.goto(portal.url("/", host))
    assert text_of(page, "span", "6325")
    portal.wait(views=0, reads=1)

    page.goto(portal.url("/counted", host))
    portal.wait(views=1)


def test_a_browser_that_is_driven_does_not_count(portal: Portal, page: Page) -> None:
    portal.numbers = NUMBERS
    portal.page("/", TODAY)
    page.add_init_script("Object.defineProperty(navigator, 'webdriver', { get: () => true })")
    page.goto(portal.url("/"))

    assert text_of(page, "span", "6325")
    portal.wait(views=0, reads=1)


@pytest.mark.parametrize("fault", ["refused", "blocked", "no fetch", "nonsense"])
def test_on_a_fault_the_block_keeps_its_text_and_the_page_hears_nothing(
    portal: Portal, page: Page, fault: str
) -> None:
    portal.numbers = NUMBERS
    portal.page("/", f"{TODAY}<div data-luot-block>đang tải</div>")
    if fault == "refused":
        portal.refuses = True
    elif fault == "blocked":
        page.route("**/api/**", lambda route: route.abort())
    elif fault == "no fetch":
        page.add_init_script("delete window.fetch; window.fetch = undefined")
    else:
        portal.numbers = {"today": {"html": "<b>"}, "total": "many", "paths": 3}
    page.add_init_script(
        "window.heard = [];"
        "addEventListener('unhandledrejection', (event) => heard.push(String(event.reason)))"
    )
    page.goto(portal.url("/"))
    page.clock.run_for(130_000)
    page.evaluate("history.pushState({}, '', '/next')")

    assert page.locator("span").inner_text() == "…"
    assert page.locator("div").inner_text() == "đang tải"
    assert page.evaluate("heard") == []


def test_a_slow_older_answer_does_not_replace_a_newer_one(portal: Portal, page: Page) -> None:
    portal.numbers = {"today": 5}
    portal.page("/", TODAY)
    page.add_init_script(
        """
        const real = window.fetch;
        window.held = [];
        window.fetch = (url, options) => real(url, options).then((answer) =>
          /counter/.test(url) ? new Promise((go) => held.push(() => go(answer))) : answer);
        """
    )
    page.goto(portal.url("/"))
    page.wait_for_function("held.length === 1", polling=20)
    portal.numbers = {"today": 6}
    page.clock.run_for(2600)
    page.wait_for_function("held.length === 2", polling=20)

    page.evaluate("held[1]()")
    assert text_of(page, "span", "6")
    page.evaluate("held[0]()")
    page.evaluate(
        "new Promise((done) => { const c = new MessageChannel();"
        " c.port1.onmessage = done; c.port2.postMessage(0) })"
    )
    assert page.locator("span").inner_text() == "6"
