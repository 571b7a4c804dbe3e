"""The script that comes after everything else counts, whenever it was put into the page."""

from playwright.sync_api import Page

from services.widget.snippet import PinnedScript, Snippet
from tests.browser.portal import Portal

# As a tag manager does it.
INSERT = """(text) => {
    const script = document.createElement("script");
    script.textContent = text;
    document.body.append(script);
}"""


def snippet(portal: Portal) -> Snippet:
    return Snippet(portal.luot, "mytho", PinnedScript("", "", ""))


def inside(tag: str) -> str:
    return tag.removeprefix("<script>").removesuffix("</script>")


def test_in_the_page_it_waits_for_the_load_and_counts(portal: Portal, page: Page) -> None:
    portal.page(
        "/",
        '<img src="/slow.png" alt=""><visitor-counter></visitor-counter>',
        head=snippet(portal).ways()["late"],
    )
    portal.stalled = {"/slow.png"}
    page.goto(portal.url("/"), wait_until="domcontentloaded")
    page.wait_for_timeout(500)
    assert portal.of("GET", "/counter.js") == []
    portal.stalled = set()
    page.locator("visitor-counter .known").wait_for()
    portal.wait(views=1)


def test_put_into_a_page_that_has_loaded_it_counts(portal: Portal, page: Page) -> None:
    portal.page("/", "<visitor-counter></visitor-counter>", head="")
    page.goto(portal.url("/"), wait_until="load")
    page.wait_for_function("document.readyState === 'complete'")
    page.evaluate(INSERT, inside(snippet(portal).ways()["late"]))
    page.locator("visitor-counter .known").wait_for()
    portal.wait(views=1)


def test_put_into_a_page_twice_it_counts_once(portal: Portal, page: Page) -> None:
    late = snippet(portal).ways()["late"]
    portal.page("/", late, head=late)
    page.goto(portal.url("/"))
    page.evaluate(INSERT, inside(late))
    page.wait_for_timeout(500)
    portal.wait(views=1)


def test_its_hash_allows_it_under_a_policy(portal: Portal, page: Page) -> None:
    late = snippet(portal)
    policy = (
        f"default-src 'none'; script-src {portal.luot} {late.late_source()};"
        f" connect-src {portal.luot}; img-src {portal.luot}"
    )
    portal.page(
        "/",
        "<visitor-counter></visitor-counter>",
        head=late.ways()["late"],
        headers={"Content-Security-Policy": policy},
    )
    page.goto(portal.url("/"))
    page.locator("visitor-counter .known").wait_for()
    portal.wait(views=1)
