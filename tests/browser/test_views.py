"""When the script tells a view, and how: once for each view of a page."""

import re

import pytest
from playwright.sync_api import Page

from services.widget.snippet import PinnedScript, Snippet
from tests.browser.conftest import answered
from tests.browser.portal import LUOT, SITE, Portal

HIDDEN = """
    let hidden = true;
    Object.defineProperty(Document.prototype, "hidden", { get: () => hidden });
    window.show = () => { hidden = false; document.dispatchEvent(new Event("visibilitychange")) };
    window.hide = () => { hidden = true; document.dispatchEvent(new Event("visibilitychange")) };
"""
LEFT_AND_BACK = """
    for (const name of ["pagehide", "pageshow"])
        dispatchEvent(new PageTransitionEvent(name, { persisted: true }));
"""
TODAY = '<span data-luot="today">…</span>'


def shows(page: Page, selector: str, text: str) -> bool:
    """Tell whether an element comes to hold a text."""
    page.locator(selector, has_text=text).wait_for(timeout=30_000)
    return page.locator(selector).inner_text() == text


def test_a_view_is_sent_once_as_plain_text(portal: Portal, page: Page) -> None:
    portal.page("/tin-tức")
    page.context.add_cookies([{"name": "old", "value": "1", "url": portal.luot}])
    page.goto(portal.url("/tin-tức?id=7#cuối"), referer="http://search.example/?q=luot")
    portal.wait(views=1, reads=0)

    event = next(asked for asked in portal.asked if asked.method == "POST")
    assert event.headers["content-type"].startswith("text/plain")
    assert "cookie" not in event.headers
    (view,) = portal.views()
    assert 0 < view["k"] < 1
    assert portal.views() == [
        {
            "n": "pageview",
            "u": portal.url("/tin-t%E1%BB%A9c?id=7#cu%E1%BB%91i"),
            "d": "mytho",
            "k": view["k"],
            "r": "http://search.example/?q=luot",
        }
    ]


def test_a_view_is_one_hit_and_one_read_without_a_preflight(portal: Portal, page: Page) -> None:
    block = "<visitor-counter></visitor-counter>"
    portal.page("/", f"{TODAY}<b data-luot-views></b>{block}{block}")
    for visit in range(1, 4):
        page.goto(portal.url("/"))
        page.locator("visitor-counter li").first.wait_for()
        portal.wait(views=visit, reads=visit)
    page.clock.run_for(20_000)
    portal.wait(views=3, reads=3)

    asked = [
        (asked.method, asked.path)
        for asked in portal.asked
        if asked.path.startswith(("/api", "/e"))
    ]
    # Both go out at once; which arrives first is up to the network.
    assert sorted(asked) == [("GET", "/api/counter/mytho")] * 3 + [("POST", "/e")] * 3
    assert "OPTIONS" not in {asked.method for asked in portal.asked}
    assert {asked.headers["origin"] for asked in portal.reads()} == {portal.url("")}


@pytest.mark.parametrize("host", ["thongke.example", "stats.example", "analytics.example"])
def test_a_reader_with_the_usual_blocklists_is_counted(
    portal: Portal, page: Page, host: str
) -> None:
    # The rules of EasyPrivacy that took the hits of before; `*` is anything.
    for rule in (r"/stats\..*/event", r"/analytics\..*/event", r"/tracking\..*/event"):
        page.context.route(re.compile(rule), lambda route: route.abort("blockedbyclient"))
    luot = portal.luot.replace(LUOT, host)
    portal.page("/", TODAY, head=portal.tag().replace(portal.luot, luot))
    page.goto(portal.url("/"))
    assert shows(page, "span", "6.325")
    portal.wait(views=1, reads=1)


def test_a_page_without_a_slot_sends_its_view_and_reads_nothing(portal: Portal, page: Page) -> None:
    portal.page("/")
    page.goto(portal.url("/"))
    portal.wait(views=1)
    page.clock.run_for(120_000)

    portal.wait(views=1, reads=0)
    assert [asked.path for asked in portal.asked if "blocks" in asked.path] == []


def test_a_new_path_without_a_new_page_is_a_view(portal: Portal, page: Page) -> None:
    portal.page("/a")
    page.goto(portal.url("/a"))
    portal.wait(views=1)

    page.evaluate("history.pushState({}, '', '/b')")
    portal.wait(views=2)
    page.evaluate("history.pushState({}, '', '/b?page=2')")
    # One by one: views that are sent at once may arrive in any order.
    portal.wait(views=3)
    page.evaluate("history.pushState({}, '', '#part')")
    page.evaluate("new Promise((done) => { addEventListener('popstate', done); history.go(-3) })")
    portal.wait(views=4)

    assert portal.paths() == ["/a", "/b", "/b", "/a"]
    assert portal.views()[1]["r"] == portal.url("/a")


@pytest.mark.parametrize("slow", [False, True])
def test_a_page_of_the_portal_in_a_frame_of_the_portal_counts_once(
    portal: Portal, page: Page, slow: bool
) -> None:
    """However late the script of the page around comes."""
    portal.page("/", '<iframe src="/lich-cong-tac"></iframe>')
    portal.page("/lich-cong-tac", TODAY + '<iframe src="/ben-trong"></iframe>')
    portal.page("/ben-trong", TODAY, head=portal.tag(path="/v1/counter.js"))
    if slow:
        portal.stalled.add("/counter.js")
    page.goto(portal.url("/"), wait_until="commit")
    page.frame_locator("iframe").frame_locator("iframe").locator("span").wait_for()
    assert portal.of("GET", "/ben-trong")
    portal.stalled.clear()
    portal.wait(views=1)
    page.wait_for_load_state()
    answered(page)
    inner = page.frame_locator("iframe")
    inner.locator("span", has_text="6.325").wait_for()
    inner.frame_locator("iframe").locator("span", has_text="6.325").wait_for()
    portal.wait(views=1)
    assert portal.paths() == ["/"]


@pytest.mark.parametrize(
    ("script", "attributes"),
    [("counter.js?site=mytho", ""), ("plausible.js", 'data-domain="mytho" data-api="{luot}/e"')],
)
def test_a_frame_does_not_count_where_the_tag_around_it_has_yet_to_run(
    portal: Portal, page: Page, script: str, attributes: str
) -> None:
    tag = f'<script async src="{portal.luot}{{}}/{script}" {attributes}></script>'
    portal.page("/", '<iframe src="/lich"></iframe>', head=tag.format("/js", luot=portal.luot))
    portal.page("/lich", TODAY, head=tag.format("", luot=portal.luot))
    portal.stalled.add(f"/js/{script.partition('?')[0]}")
    page.goto(portal.url("/"), wait_until="commit")
    page.frame_locator("iframe").locator("span", has_text="6.325").wait_for()
    portal.stalled.clear()
    portal.wait(views=1)
    page.wait_for_load_state()
    answered(page)
    portal.wait(views=1)
    assert portal.paths() == ["/"]


def test_a_frame_does_not_count_where_the_tag_around_it_is_gone(portal: Portal, page: Page) -> None:
    # As jQuery puts scripts into a page.
    removed = portal.tag("onload='this.remove()'")
    portal.page("/", head=removed)
    portal.page("/lich", TODAY, head=removed)
    page.goto(portal.url("/"))
    portal.wait(views=1)
    page.wait_for_function("!document.querySelector('script[data-site]')", polling=20)
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('iframe'), { src: '/lich' }))"
    )
    page.frame_locator("iframe").locator("span", has_text="6.325").wait_for()
    answered(page)
    assert portal.paths() == ["/"]


def test_a_framed_page_counts_where_the_page_around_it_does_not(portal: Portal, page: Page) -> None:
    portal.page("/", '<iframe src="/khung"></iframe>', head="")
    portal.page("/khung")
    page.goto(portal.url("/"))
    portal.wait(views=1)

    frame = f'<iframe src="{portal.url("/khung")}"></iframe>'
    portal.page("/trang-khac", frame, head="")
    page.goto(portal.url("/trang-khac", host="other.example"))
    portal.wait(views=2)
    assert portal.paths() == ["/khung", "/khung"]


def test_a_browser_counts_by_the_script_or_by_the_line_for_old_ones_and_never_by_both(
    portal: Portal, page: Page
) -> None:
    old = Snippet(portal.luot, SITE, PinnedScript("0.1.0", "", "")).ways()["old"]
    policy = {"Content-Security-Policy": f"script-src {portal.luot}; report-uri /policy"}
    portal.page("/moi", head=old + portal.tag(), headers=policy)
    page.goto(portal.url("/moi"))
    portal.wait(views=1)
    answered(page)
    assert portal.images() == portal.of("POST", "/policy") == []

    # As an engine does that has no modules, before the script and after it.
    run = old.replace(" nomodule", "")
    portal.page("/cu", head=run + portal.tag())
    page.goto(portal.url("/cu?a=1&b=2"), referer="http://search.example/?q=luot")
    page.wait_for_load_state()
    answered(page)
    portal.page("/sau", head=portal.tag().replace(" async", "") + run)
    page.goto(portal.url("/sau"))
    portal.wait(views=2)
    (image,) = portal.images()
    assert image.query.pop("k")
    assert image.query == {
        "d": [SITE],
        "u": [portal.url("/cu?a=1&b=2")],
        "r": ["http://search.example/?q=luot"],
    }
    assert portal.paths() == ["/moi", "/sau"]


def test_an_address_that_is_corrected_is_not_a_view(portal: Portal, page: Page) -> None:
    portal.page("/")
    page.goto(portal.url("/"))
    portal.wait(views=1)

    page.evaluate("history.replaceState({}, '', '/trang-chu')")
    page.evaluate("history.pushState({}, '', '/trang-chu?tab=2')")
    portal.wait(views=2)
    page.evaluate("history.pushState({}, '', '/lien-he')")
    portal.wait(views=3)
    assert portal.paths() == ["/", "/trang-chu", "/lien-he"]
    # Whether the query names another page, the server knows: of what it is told of.
    before = [view.get("q") for view in portal.views()]
    assert before == [None, portal.url("/trang-chu"), None]


def test_routes_in_the_fragment_are_views_and_places_in_a_page_are_not(
    portal: Portal, page: Page
) -> None:
    portal.page("/", '<a id="route" href="#/tin/1">1</a><a id="place" href="#cuoi">2</a>')
    page.goto(portal.url("/#/"))
    portal.wait(views=1)
    page.click("#route")
    portal.wait(views=2)
    page.evaluate("location.hash = '#!/tin/2'")
    portal.wait(views=3)

    page.goto(portal.url("/?again"))
    portal.wait(views=4)
    page.click("#place")
    page.evaluate("location.hash = '#dau'")
    page.evaluate("new Promise((done) => { addEventListener('hashchange', done); history.back() })")
    portal.wait(views=4)
    fragments = [view["u"].partition("#")[2] for view in portal.views()]
    assert fragments == ["/", "/tin/1", "!/tin/2", ""]


def test_a_page_that_comes_back_from_the_cache_is_a_view(portal: Portal, page: Page) -> None:
    portal.page("/")
    page.goto(portal.url("/"))
    portal.wait(views=1)

    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false }))")
    page.evaluate(LEFT_AND_BACK)
    portal.wait(views=2)


def test_a_hidden_page_is_a_view_when_it_is_first_seen(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY)
    page.add_init_script(HIDDEN)
    page.goto(portal.url("/"))
    page.clock.run_for(120_000)
    page.evaluate("history.pushState({}, '', '/b')")
    portal.wait(views=0, reads=0)

    page.evaluate("show()")
    portal.wait(views=1)
    page.evaluate("hide()")
    page.evaluate("show()")
    assert shows(page, "span", "6.325")
    portal.wait(views=1, reads=1)
    assert portal.paths() == ["/b"]


def test_a_prerendered_page_that_is_visible_too_early_waits_until_it_is_real(
    portal: Portal, page: Page
) -> None:
    portal.page("/")
    page.add_init_script(
        "let early = true;"
        "Object.defineProperty(Document.prototype, 'prerendering', { get: () => early });"
        "window.activate = () => { early = false;"
        " document.dispatchEvent(new Event('prerenderingchange')) }"
    )
    page.goto(portal.url("/"))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    answered(page)
    portal.wait(views=0)

    page.evaluate("activate()")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    portal.wait(views=1)


@pytest.mark.parametrize("second", ["/counter.js", "/v1/counter.js"])
def test_the_script_found_twice_counts_once(portal: Portal, page: Page, second: str) -> None:
    again = portal.tag(path=second)
    portal.page("/", f'<p id="luot">{TODAY}</p>{again}{again}')
    page.goto(portal.url("/"))

    assert shows(page, "span", "6.325")
    page.evaluate(
        "(url) => new Promise((done) => { const again = document.createElement('script');"
        " again.onload = done; again.dataset.site = 'mytho'; again.src = url;"
        " document.head.append(again) })",
        f"{portal.luot}/counter.js?again",
    )
    portal.wait(views=1, reads=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_own_machine_reads_but_does_not_count_unless_asked_to(
    portal: Portal, page: Page, host: str
) -> None:
    portal.page("/", TODAY)
    portal.page("/counted", TODAY, attributes="data-local")
    page.goto(portal.url("/", host))
    assert shows(page, "span", "6.325")
    portal.wait(views=0, reads=1)

    page.goto(portal.url("/counted", host))
    portal.wait(views=1)


def test_a_browser_that_is_driven_does_not_count(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY)
    page.add_init_script("Object.defineProperty(navigator, 'webdriver', { get: () => true })")
    page.goto(portal.url("/"))

    assert shows(page, "span", "6.325")
    portal.wait(views=0, reads=1)


def test_a_page_read_from_a_disk_does_not_count(
    portal: Portal, page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("disk") / "page.html"
    file.write_text(f"<!doctype html>{portal.tag('data-local')}{TODAY}", "utf-8")
    page.goto(file.as_uri())

    assert shows(page, "span", "6.325")
    portal.wait(views=0, reads=1)


def test_without_fetch_an_image_counts(portal: Portal, page: Page) -> None:
    portal.page("/a", TODAY)
    page.add_init_script("window.fetch = undefined")
    with page.expect_response("**/hit.gif?**"):
        page.goto(portal.url("/a"))

    assert [hit.query["u"] for hit in portal.images()] == [[portal.url("/a")]]
    assert page.locator("span").inner_text() == "…"
    portal.wait(views=0, reads=0)


def test_where_a_policy_forbids_to_connect_an_image_counts_once(portal: Portal, page: Page) -> None:
    policy = f"default-src 'none'; script-src {portal.luot}; img-src data: {portal.luot}"
    portal.page("/", TODAY, headers={"Content-Security-Policy": policy})
    with page.expect_response("**/hit.gif?**"):
        page.goto(portal.url("/"))

    assert [hit.query["d"] for hit in portal.images()] == [["mytho"]]
    portal.wait(views=0, reads=0)


def test_where_a_policy_only_reports_no_image_counts_again(portal: Portal, page: Page) -> None:
    policy = f"default-src 'none'; script-src {portal.luot}; img-src data: {portal.luot}"
    portal.page("/", TODAY, headers={"Content-Security-Policy-Report-Only": policy})
    page.add_init_script(
        "window.reported = [];"
        "addEventListener('securitypolicyviolation', (event) => reported.push(event.blockedURI))"
    )
    page.goto(portal.url("/"))
    assert shows(page, "span", "6.325")
    page.wait_for_function("reported.some((uri) => uri.endsWith('/e'))", polling=20)
    portal.wait(views=1, reads=1)
    assert portal.images() == []


def test_a_view_is_sent_although_the_page_is_left(portal: Portal, page: Page) -> None:
    portal.page("/", "<p>xin chào</p>")
    portal.page("/b", head="")
    # All connections to Luot are busy, so that the event waits for one.
    portal.stalled = {f"/busy-{n}" for n in range(6)}
    page.goto(portal.url("/b"))
    page.add_init_script(
        f"for (let n = 0; n < 6; n++) fetch('{portal.luot}/busy-' + n, {{ keepalive: true }})"
    )
    page.goto(portal.url("/"))
    page.wait_for_function("window.__luot", polling=20)
    page.evaluate("location.href = 'about:blank'")
    page.wait_for_url("about:blank")
    portal.wait(views=0)
    portal.stalled = set()
    portal.wait(views=1)
