"""How often numbers are read, and what is written into a portal's page."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import let_minutes_pass
from tests.browser.portal import NUMBERS, Portal
from tests.browser.test_views import HIDDEN, LEFT_AND_BACK, TODAY, shows

MINUTE = 60_000


def test_slots_are_filled_from_one_read(portal: Portal, page: Page) -> None:
    portal.page(
        "/",
        f'{TODAY}<b data-luot="total" data-digits="11">…</b><i data-luot="no">?</i>'
        '<u data-luot="peak">?</u><s data-luot="total" data-format="dot"></s>',
    )
    page.goto(portal.url("/"))

    assert shows(page, "span", "6.325")
    assert shows(page, "b", "00008307145")
    assert shows(page, "i", "?")
    assert shows(page, "u", "77")
    assert shows(page, "s", "8.307.145")
    portal.wait(views=1, reads=1)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("dot", "8.307.145"),
        ("comma", "8,307,145"),
        ("space", "8\u202f307\u202f145"),
        ("", "8307145"),
    ],
)
def test_numbers_are_written_as_the_site_has_them_unless_the_page_says_otherwise(
    portal: Portal, page: Page, form: str, text: str
) -> None:
    portal.numbers["display"] = {"format": form or "dot"}
    portal.page("/", '<span data-luot="total"></span>', "" if form else 'data-format="plain"')
    page.goto(portal.url("/"))
    assert shows(page, "span", text)


def test_numbers_are_read_again_every_half_to_whole_minute(portal: Portal, page: Page) -> None:
    portal.numbers = NUMBERS | {"today": 1}
    portal.page("/", TODAY)
    page.add_init_script("Math.random = () => 0.5")
    page.goto(portal.url("/"))
    assert shows(page, "span", "1")
    for read in range(2, 5):
        portal.numbers = NUMBERS | {"today": read}
        page.clock.run_for(30_000)
        portal.wait(views=1, reads=read - 1)
        page.clock.run_for(15_000)
        assert shows(page, "span", str(read))
        portal.wait(views=1, reads=read)


def test_readers_do_not_ask_in_step(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY)
    page.add_init_script(
        "window.waits = []; const real = window.setTimeout;"
        "window.setTimeout = (work, wait) => { waits.push(wait); return real(work, wait) }"
    )
    page.goto(portal.url("/"))
    assert shows(page, "span", "6.325")
    for _ in range(3):
        page.evaluate(LEFT_AND_BACK)
    waits = [wait for wait in page.evaluate("waits") if wait > 1000]
    assert len(set(waits)) == 4
    assert all(30_000 <= wait <= 60_000 for wait in waits)


def test_where_nobody_answers_readers_ask_less_and_less(portal: Portal, page: Page) -> None:
    portal.fault = "500"
    portal.page("/", TODAY)
    page.goto(portal.url("/"))
    portal.wait(reads=1)
    let_minutes_pass(page, 60)
    assert 3 <= len(portal.reads()) <= 8


def test_nothing_is_read_while_nobody_looks(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY)
    page.add_init_script(HIDDEN)
    page.goto(portal.url("/"))
    page.evaluate("show()")
    portal.wait(reads=1)
    assert shows(page, "span", "6.325")

    page.evaluate("hide()")
    page.clock.run_for(10 * MINUTE)
    portal.wait(views=1, reads=1)
    page.evaluate("show()")
    portal.wait(views=1, reads=2)


def test_views_of_this_and_of_other_pages_are_read_in_one_call(portal: Portal, page: Page) -> None:
    portal.numbers["paths"] = {
        "/list?nv=a": {"views": 445, "today": 1},
        "/b": {"views": 7, "today": 0},
    }
    portal.page(
        "/list",
        '<span data-luot-views></span><b data-luot-views="/b" data-digits="3"></b>'
        '<i data-luot-views="/c">–</i>'
        f'<u data-luot-views="{portal.url("/b")}"></u><s data-luot-views="b#cuoi"></s>',
    )
    page.goto(portal.url("/list?nv=a"))

    assert shows(page, "span", "445")
    assert shows(page, "b", "007")
    assert shows(page, "u", "7")
    assert shows(page, "s", "7")
    assert shows(page, "i", "–")
    assert [asked.query for asked in portal.reads()] == [{"path": ["/list?nv=a", "/b", "/c"]}]


def test_the_first_reader_of_an_article_is_among_its_views(portal: Portal, page: Page) -> None:
    unread = {"views": 0, "today": 0}
    portal.numbers["paths"] = {"/moi?nv=a": unread, "/b": unread}
    portal.page(
        "/moi",
        '<span data-luot-views>…</span><b data-luot-views="/b">…</b>'
        '<i data-luot-views="/moi?nv=a" data-digits="3">…</i>',
    )
    page.goto(portal.url("/moi?nv=a"))

    assert shows(page, "span", "1")
    assert shows(page, "i", "001")
    assert shows(page, "b", "0")


def test_a_reader_who_does_not_count_is_not_among_the_views(portal: Portal, page: Page) -> None:
    portal.numbers["paths"] = {"/moi": {"views": 0, "today": 0}}
    portal.page("/moi", "<span data-luot-views>…</span>")
    page.add_init_script("Object.defineProperty(navigator, 'webdriver', { get: () => true })")
    page.goto(portal.url("/moi"))

    assert shows(page, "span", "0")
    portal.wait(views=0, reads=1)


@pytest.mark.parametrize(("articles", "calls"), [(100, [100]), (230, [100, 100, 30])])
def test_a_list_of_a_hundred_articles_is_one_call(
    portal: Portal, page: Page, articles: int, calls: list[int]
) -> None:
    paths = [f"/tin-tuc/bai-{n}" for n in range(articles)]
    portal.numbers["paths"] = {path: {"views": n, "today": 0} for n, path in enumerate(paths)}
    portal.page("/", TODAY + "".join(f'<p data-luot-views="{path}"></p>' for path in paths))
    page.goto(portal.url("/"))

    page.locator("p", has_text=str(articles - 1)).wait_for()
    assert page.locator("p").all_inner_texts() == [str(n) for n in range(articles)]
    portal.wait(views=1, reads=len(calls))
    assert sorted(len(asked.query["path"]) for asked in portal.reads()) == sorted(calls)


def test_slots_of_the_next_page_of_an_application_are_filled(portal: Portal, page: Page) -> None:
    portal.numbers["paths"] = {"/b": {"views": 9, "today": 1}}
    portal.page("/a", TODAY)
    page.goto(portal.url("/a"))
    assert shows(page, "span", "6.325")
    page.evaluate(
        "history.pushState({}, '', '/b'); document.body.innerHTML = '<b data-luot-views></b>'"
    )
    page.clock.run_for(600)
    assert shows(page, "b", "9")
    portal.wait(views=2, reads=2)


def test_a_slow_older_answer_does_not_replace_a_newer_one(portal: Portal, page: Page) -> None:
    portal.numbers = NUMBERS | {"today": 5}
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
    portal.numbers = NUMBERS | {"today": 6}
    page.clock.run_for(MINUTE)
    page.wait_for_function("held.length === 2", polling=20)

    page.evaluate("held[1]()")
    assert shows(page, "span", "6")
    page.evaluate("held[0]()")
    page.evaluate(
        "new Promise((done) => { const c = new MessageChannel();"
        " c.port1.onmessage = done; c.port2.postMessage(0) })"
    )
    assert page.locator("span").inner_text() == "6"


@pytest.mark.parametrize("address", ["mailto:a@b.example", "javascript:void(0)", "http://["])
def test_a_slot_that_names_no_page_keeps_no_other_from_its_number(
    portal: Portal, page: Page, address: str
) -> None:
    portal.numbers["paths"] = {"/b": {"views": 9, "today": 1}}
    portal.page("/", f'{TODAY}<i data-luot-views="{address}">–</i><b data-luot-views="/b">…</b>')
    page.goto(portal.url("/"))
    assert shows(page, "b", "9")
    assert shows(page, "i", "–")
    assert [asked.query for asked in portal.reads()] == [{"path": ["/b"]}]


def test_slots_that_come_later_are_filled(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY)
    page.goto(portal.url("/"))
    assert shows(page, "span", "6.325")
    # What is known needs no reading.
    page.evaluate("document.body.innerHTML = '<p><b data-luot=total></b></p>'")
    assert shows(page, "b", "8.307.145")
    portal.wait(views=1, reads=1)

    portal.numbers["paths"] = {"/b": {"views": 9, "today": 1}}
    page.evaluate("document.body.innerHTML = '<p><i data-luot-views=\"/b\"></i></p>'")
    page.clock.run_for(100)
    assert shows(page, "i", "9")
    portal.wait(views=1, reads=2)
    for _ in range(20):
        page.evaluate("document.body.innerHTML += '<u>khác</u>'")
        page.clock.run_for(100)
    portal.wait(views=1, reads=2)


def test_a_long_list_is_asked_for_in_pieces_where_one_is_too_long(
    portal: Portal, page: Page
) -> None:
    paths = [f"/tin-tuc/{'dia-chi-dai-' * 7}{n}" for n in range(100)]
    portal.numbers["paths"] = {path: {"views": n, "today": 0} for n, path in enumerate(paths)}
    portal.page("/", "".join(f'<p data-luot-views="{path}"></p>' for path in paths))
    page.goto(portal.url("/"))
    page.locator("p", has_text="99").wait_for()
    portal.wait(views=1, reads=1)

    # A server in front that takes 8 KiB, as many do.
    portal.longest = 8192
    portal.asked.clear()
    page.goto(portal.url("/"))
    page.clock.run_for(1000)
    page.locator("p", has_text="99").wait_for()
    assert page.locator("p").all_inner_texts() == [str(n) for n in range(100)]
    portal.wait(views=1, reads=3)


def test_no_more_than_five_hundred_views_are_asked_for(portal: Portal, page: Page) -> None:
    portal.page("/", "".join(f'<p data-luot-views="/{n}"></p>' for n in range(2000)))
    page.goto(portal.url("/"))
    portal.wait(views=1, reads=5)
    page.clock.run_for(20_000)
    portal.wait(views=1, reads=5)


def test_the_reader_is_online(portal: Portal, page: Page) -> None:
    portal.numbers["online"] = 0
    portal.page("/", '<span data-luot="online">…</span>')
    page.goto(portal.url("/"))
    assert shows(page, "span", "1")


@pytest.mark.parametrize(("lang", "text"), [("vi", "8.307.145"), ("en-GB", "8,307,145")])
def test_thousands_are_parted_as_the_language_of_the_page_has_them(
    portal: Portal, page: Page, lang: str, text: str
) -> None:
    body = '<span data-luot="total"></span><b data-luot="total" data-format="plain"></b>'
    portal.page("/", body, lang=lang)
    page.goto(portal.url("/"))
    assert shows(page, "span", text)
    assert shows(page, "b", "8307145")
