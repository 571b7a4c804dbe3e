"""What applications do to a page, in every engine: places that come later, routes, odd names."""

from typing import Any

import pytest

from tests.browser.engines.engine import Engine, comes
from tests.browser.engines.place import Place
from tests.browser.engines.webkit import WebKit

# Timers of minutes never fire: what comes all the same does not come from the regular reading.
SOON = (
    "<script>const later = setTimeout; window.setTimeout = (run, ms, ...rest) =>"
    " ms > 5000 ? 1e9 : later(run, ms, ...rest)</script>"
)
TEXT = "document.body.querySelector({!r}).textContent"
BLOCK = "document.querySelector('visitor-counter')?.shadowRoot?.querySelector('.known')?.innerText"
WARNED = (
    "<script>window.warned = []; console.warn = (...all) => warned.push(all.join(' '))</script>"
)
# Properties of the document by which the script would know the page.
NAMES = (
    "hidden",
    "prerendering",
    "referrer",
    "head",
    "currentScript",
    "querySelector",
    "querySelectorAll",
    "createElement",
    "documentElement",
)


def move(engine: Engine, place: Place, script: str, posts: int) -> None:
    """Have the application of a page change its address, and wait for the view."""
    engine.evaluate(f"void {script}")
    assert place.sent(posts=posts)


def test_what_comes_later_into_a_page_is_filled_at_once(engine: Engine, place: Place) -> None:
    place.page("/bai-1", "<p>bài</p>")
    engine.open(place.page("/", "<main>trang</main>", head=SOON + place.way("script")))
    assert place.sent(posts=1)
    engine.open(place.url("/bai-1"))
    assert place.sent(posts=2)
    engine.open(place.url("/"))
    assert place.sent(posts=3)
    assert place.pages() == {"/": 2, "/bai-1": 1}

    engine.evaluate(
        "void document.querySelector('main').insertAdjacentHTML('beforeend',"
        ' \'<visitor-counter heading="" lines="total"></visitor-counter>\')'
    )
    assert engine.wait(BLOCK).startswith("Tổng lượt truy cập: ")

    engine.evaluate(
        "void document.querySelector('main').insertAdjacentHTML('beforeend',"
        " '<b data-luot-views=\"/bai-1\"></b>')"
    )
    engine.wait(f"{TEXT.format('b')} === '1'")
    engine.evaluate("void (document.querySelector('b').dataset.luotViews = '/')")
    engine.wait(f"{TEXT.format('b')} === '2'")

    # Within an open shadow root, too.
    engine.evaluate(
        "void document.querySelector('main').appendChild(document.createElement('section'))"
        ".attachShadow({mode: 'open'})"
    )
    root = "document.querySelector('section').shadowRoot"
    engine.evaluate("void document.body.append(document.querySelector('section'))")
    engine.evaluate(f"void ({root}.innerHTML = '<i data-luot-views=\"/bai-1\"></i>')")
    engine.wait(f"{root}.querySelector('i').textContent === '1'")
    assert place.sent(posts=3)


def test_clicks_on_files_are_downloads_and_no_views(engine: Engine, place: Place) -> None:
    links = {
        "pdf": "/van-ban/qd-12.pdf",
        "page": "/bai-1.html",
        "picture": "/anh.jpg",
        "foreign": "https://foreign.example/a.pdf",
    }
    body = "".join(
        f'<a id="{name}" href="{url}" onclick="return false"><b>x</b></a>'
        for name, url in links.items()
    )
    shown = '<i data-luot-downloads="/van-ban/qd-12.pdf"></i><u data-luot-downloads="mailto:x"></u>'
    engine.open(place.page("/", body + shown))
    assert place.sent(posts=1)
    engine.wait(f"{TEXT.format('i')} === '0'")
    for name in links:
        engine.evaluate(f"document.querySelector('#{name} b').click()")
    # A page is no file; what Luot does not count of the others, it says.
    assert place.sent(posts=4)
    assert place.pages() == {"/": 1}
    engine.open(place.page("/so-lieu", shown, driven=True))
    engine.wait(f"{TEXT.format('i')} === '1'")
    assert place.sent(posts=4)


@pytest.mark.parametrize("options", [{"search_parameters": ["q"]}])
def test_a_page_not_found_a_link_outwards_and_a_search_are_counted_apart(
    engine: Engine, place: Place
) -> None:
    links = {
        "foreign": "https://www.foreign.example/a.pdf?x=secret",
        "page": "/bai-1.html",
        "mail": "mailto:an@foreign.example",
    }
    body = "".join(
        f'<a id="{name}" href="{url}" onclick="return false"><b>x</b></a>'
        for name, url in links.items()
    )
    head = place.way("script").replace("<script ", "<script data-404 data-outbound ")
    engine.open(place.page("/mat", body, head=head))
    assert place.sent(posts=1)
    for name in links:
        engine.evaluate(f"document.querySelector('#{name} b').click()")
    assert place.sent(posts=2)
    # An application goes on from there: these pages are found.
    move(engine, place, "history.pushState({}, '', '/tim?q=Nh%C3%A0+%20%C4%91%E1%BA%A5t')", 3)
    move(engine, place, "history.pushState({}, '', '/tim?q=nh%C3%A0')", 4)
    assert place.pages() == {"/tim": 1}
    assert place.apart("not_found") == {"/mat": 1}
    assert place.apart("outbound_links") == {"foreign.example/a.pdf": 1}
    assert place.apart("searches") == {"nhà đất": 1, "nhà": 1}
    assert place.sent(posts=4)


@pytest.mark.parametrize("options", [{"significant": ["tabid"]}])
def test_a_query_that_names_another_page_is_a_view(engine: Engine, place: Place) -> None:
    engine.open(place.page("/default.aspx"))
    assert place.sent(posts=1)
    move(engine, place, "history.pushState({}, '', '?tabid=22')", 2)
    move(engine, place, "history.pushState({}, '', '?TabId=22&sort=date')", 3)
    move(engine, place, "history.pushState({}, '', '?tabid=23&sort=date')", 4)
    engine.evaluate("void history.pushState({}, '', '#top')")
    engine.evaluate("void history.replaceState({}, '', '?tabid=24')")
    move(engine, place, "history.pushState({}, '', '?tabid=24&page=2')", 5)
    assert place.pages() == {"/": 1, "/?tabid=22": 1, "/?tabid=23": 1}
    assert place.sent(posts=5)


@pytest.mark.parametrize("options", [{"hash_routes": True}])
def test_routes_in_the_fragment_are_pages_where_the_site_says_so(
    engine: Engine, place: Place
) -> None:
    engine.open(place.page("/"))
    assert place.sent(posts=1)
    move(engine, place, "(location.hash = '#/tin/1')", 2)
    move(engine, place, "(location.hash = '#!/tin/2')", 3)
    engine.evaluate("void (location.hash = '#top')")
    move(engine, place, "(location.hash = '#/tin/1')", 4)
    # `#top` is an anchor of the page at `/`, to which the reader came back.
    assert place.pages() == {"/": 1, "/tin/1": 2, "/tin/2": 1}
    body = '<b data-luot-views="/#/tin/1"></b>'
    engine.open(place.page("/so-lieu", body, driven=True))
    engine.wait(f"{TEXT.format('b')} === '2'")


def test_an_address_that_the_navigation_api_changes_is_a_view(engine: Engine, place: Place) -> None:
    address = place.page("/")
    engine.open(address)
    assert place.sent(posts=1)
    if not engine.evaluate("'navigation' in window"):
        # Debian's WebKitGTK has no Navigation API; without one, the history is all there is.
        assert isinstance(engine, WebKit)
        move(engine, place, "history.pushState({}, '', '/bai-1')", 2)
        assert place.pages() == {"/": 1, "/bai-1": 1}
        return
    engine.evaluate("void navigation.addEventListener('navigate', (event) => event.intercept({}))")
    move(engine, place, "navigation.navigate('/bai-1')", 2)
    move(engine, place, "history.pushState({}, '', '/bai-2')", 3)
    engine.evaluate("void navigation.navigate('/bai-2?muc=1', { history: 'replace' })")
    engine.wait("location.search === '?muc=1'")
    move(engine, place, "navigation.back()", 4)
    assert place.pages() == {"/": 1, "/bai-1": 2, "/bai-2": 1}
    assert place.sent(posts=4)


def test_forms_that_are_named_like_properties_change_nothing(engine: Engine, place: Place) -> None:
    forms = "".join(f'<form name="{name}"></form>' for name in NAMES)
    body = f"{forms}<b data-luot='total'>-</b>{place.way('script').replace('async ', '')}"
    engine.open(place.page("/", body, head=""))
    assert place.sent(posts=1)
    assert place.pages() == {"/": 1}
    engine.wait(f"{TEXT.format('b')} !== '-'")
    # A field hides a method of its form.
    added = "<form><input name=matches><input name=querySelector><i data-luot='total'></i></form>"
    engine.evaluate(f"void document.body.insertAdjacentHTML('beforeend', {added!r})")
    engine.wait(TEXT.format("i"))


def told(engine: Engine, place: Place, head: str) -> Any:
    """Return what the console of a page was told, after its view was answered."""
    posts = len(place.between.posts())
    engine.open(place.page("/", head=WARNED + head))
    assert comes(lambda: len(place.between.posts()) > posts)
    return engine.wait("warned.length && warned")


@pytest.mark.parametrize("options", [{"hosts": ["other.example"]}])
def test_the_console_names_the_reason_why_a_page_is_not_counted(
    engine: Engine, place: Place
) -> None:
    script = place.way("script")
    assert told(engine, place, script) == [f"Luot: foreign_host {place.site} {place.host}"]
    wrong = script.replace(place.site, "khong-co")
    assert told(engine, place, wrong) == [f"Luot: unknown_site khong-co {place.host}"]
    assert place.pages() == {}
