"""Views that the portal counts by itself, and paths that are never counted."""

from urllib.parse import unquote

import pytest
from playwright.sync_api import Page

from tests.browser.portal import Portal
from tests.browser.test_views import TODAY, shows

QUEUE = (
    "<script>window.luot = window.luot || {q: [], view() {this.q.push(arguments)}};"
    "luot.view('/early')</script>"
)


def test_a_page_with_data_manual_counts_what_it_names_and_nothing_else(
    portal: Portal, page: Page
) -> None:
    portal.page("/", TODAY, "data-manual")
    page.goto(portal.url("/"))
    assert shows(page, "span", "6.325")

    page.evaluate("history.pushState(0, '', '/step-2')")
    page.evaluate("luot.view('/don/nop-ho-so')")
    page.evaluate("luot.view()")
    portal.wait(views=2)
    assert portal.paths() == ["/don/nop-ho-so", "/step-2"]
    assert portal.views()[1]["r"] == portal.url("/don/nop-ho-so")


def test_what_is_named_before_the_script_has_come_is_counted(portal: Portal, page: Page) -> None:
    portal.page("/", TODAY, head=QUEUE + portal.tag("data-manual"))
    page.goto(portal.url("/"))

    portal.wait(views=1)
    assert portal.paths() == ["/early"]


def test_a_page_that_does_not_count_by_itself_has_no_such_function(
    portal: Portal, page: Page
) -> None:
    portal.page("/", TODAY)
    page.goto(portal.url("/"))

    assert shows(page, "span", "6.325")
    assert page.evaluate("typeof luot") == "undefined"


@pytest.mark.parametrize(
    ("excluded", "path", "counted"),
    [
        ("/quan-tri/**", "/quan-tri/bai-viet/1", False),
        ("/quan-tri/**", "/quan-tri", True),
        ("/quan-tri**", "/quan-tri", False),
        ("/in/*", "/in/12", False),
        ("/in/*", "/in/12/", False),
        ("/in/*", "/in/12/3", True),
        ("/a, /b.html", "/b.html", False),
        ("/b.html", "/bxhtml", True),
        ("", "/", True),
        (" , ", "/", True),
    ],
)
def test_a_path_that_is_excluded_shows_the_numbers_and_counts_no_view(
    portal: Portal, page: Page, excluded: str, path: str, counted: bool
) -> None:
    views = "<b data-luot-views>…</b>"
    portal.numbers["paths"] = {path: {"views": 0}}
    portal.page(path, TODAY + views, f'data-exclude="{excluded}"')
    portal.page("/last", "", f'data-exclude="{excluded}"')
    page.goto(portal.url(path))
    assert shows(page, "span", "6.325")
    # Its own view is in the number of the page, if there is one.
    assert shows(page, "b", "1" if counted else "0")

    page.goto(portal.url("/last"))
    portal.wait(views=1 + counted)
    assert portal.paths() == [path] * counted + ["/last"]


@pytest.mark.parametrize(
    ("excluded", "address", "counted"),
    [
        ("/quản-trị/**", "/quản-trị/bài-viết/1", False),
        ("/quản trị/*", "/quản trị/12", False),
        ("/quản-trị/*", "/quản-trị/bài/1", True),
        # As it has to be written for scripts that do not decode.
        ("/qu%E1%BA%A3n-tr%E1%BB%8B/**", "/quản-trị/1", False),
        # As WordPress writes addresses.
        ("/quản-trị/**", "/qu%e1%ba%a3n-tr%e1%bb%8b/1", False),
        ("/quan-tri/**", "/quan-tri/100%/1", False),
        ("/quản-trị/**", "/100%", True),
        ("/*/b", "/b", True),
        ("/quan-tri/**", "/app#/quan-tri/1", False),
        ("/quản-trị", "/#!/quản-trị?trang=2", False),
        ("/app", "/app#/tin/1", False),
        ("/tin", "/app#/tin/1", True),
        ("/tin", "/app#tin", True),
    ],
)
def test_a_pattern_names_paths_and_routes_as_they_are_read(
    portal: Portal, page: Page, excluded: str, address: str, counted: bool
) -> None:
    portal.page(unquote(address.partition("#")[0]), TODAY, f'data-exclude="{excluded}"')
    portal.page("/last", "", f'data-exclude="{excluded}"')
    page.goto(portal.url(address))
    assert shows(page, "span", "6.325")
    page.goto(portal.url("/last"))
    portal.wait(views=1 + counted)
    assert portal.paths()[-1] == "/last"


def test_an_application_that_leaves_an_excluded_path_is_counted_again(
    portal: Portal, page: Page
) -> None:
    portal.page("/quan-tri", TODAY, 'data-exclude="/quan-tri**"')
    page.goto(portal.url("/quan-tri"))
    assert shows(page, "span", "6.325")

    page.evaluate("history.pushState(0, '', '/tin/1')")
    portal.wait(views=1)
    assert portal.paths() == ["/tin/1"]
