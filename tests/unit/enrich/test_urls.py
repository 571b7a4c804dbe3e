"""What URLs say: the page, and where the visitor came from."""

import pytest

from services.enrich import urls
from services.enrich.urls import MAX_SOURCE, NO_UTM, PageUrl, Utm, read_page, source_of
from services.model.site import Site

SITE = Site(slug="mytho", hosts=("mytho.example", "*.mytho.example"))
ANYWHERE = Site(slug="demo", hosts=("*",))


def test_a_page_has_a_host_in_lower_case_and_a_path_as_it_came() -> None:
    assert read_page("HTTPS://WWW.Mytho.Example:8443/Tin%20T?a=1#x") == PageUrl(
        host="www.mytho.example", path="/Tin%20T", query="a=1", campaign=""
    )


@pytest.mark.parametrize(
    "url",
    ["https://MỹTho.vn./", "https://m\u200eỹtho.vn\u202e/", "https://xn--mtho-q35a.vn:8443/"],
)
def test_a_host_is_one_in_letters_and_as_browsers_send_it(url: str) -> None:
    site = Site(slug="mytho", hosts=("Mỹtho.vn",))
    page = read_page(url)
    assert page is not None
    assert page.host == "xn--mtho-q35a.vn"
    assert site.allows(page.host)


@pytest.mark.parametrize("unseen", ["\x80", "\x9b", "\u061c", "\u200f", "\u202e", "\u2066"])
def test_no_control_and_no_mark_of_direction_is_in_a_host_or_source(unseen: str) -> None:
    page = read_page(f"https://my{unseen}tho.example/")
    assert page is not None
    assert page.host == "mytho.example"
    assert source_of(page, f"https://go{unseen}ogle.com/", SITE) == "google.com"
    named = read_page(f"https://mytho.example/?utm_source=za{unseen}lo")
    assert named is not None
    assert source_of(named, "", SITE) == "zalo"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/tin-tuc",
        "mytho.example/",
        "ftp://mytho.example/",
        "file:///C:/index.html",
        "data:text/html,x",
        "javascript:alert(1)",
        "https://",
        "https:///a",
        "http://[::1",
        "http://a b/",
        "http://exa\u2100mple/",
    ],
)
def test_what_is_not_the_url_of_a_page_is_refused(url: str) -> None:
    assert read_page(url) is None


@pytest.mark.parametrize(
    ("url", "referrer", "source"),
    [
        ("https://mytho.example/", "", ""),
        ("https://mytho.example/", "https://www.google.com/search?q=x", "google.com"),
        ("https://mytho.example/", "https://mytho.example/b", ""),
        ("https://mytho.example/", "https://www.mytho.example/b", ""),
        ("https://mytho.example/", "https://old.mytho.example/b", ""),
        ("https://mytho.example/", "android-app://com.zing.zalo/", "com.zing.zalo"),
        ("https://mytho.example/", "not a url", ""),
        ("https://mytho.example/", "http://[::1", ""),
        ("https://mytho.example/?utm_source=zalo&ref=x", "https://google.com/", "zalo"),
        ("https://mytho.example/?ref=b%E1%BA%A3n+tin", "", "bản tin"),
        ("https://mytho.example/?utm_source=", "https://google.com/", "google.com"),
        ("https://mytho.example/?ref=menu", "https://mytho.example/b", ""),
        ("https://mytho.example/?source=rss", "https://www.mytho.example/", ""),
        ("https://mytho.example/?ref=menu", "https://google.com/", "menu"),
        ("https://mytho.example/?utm_source=zalo", "https://mytho.example/b", "zalo"),
        ("https://mytho.example/?utm_source=&ref=menu", "https://mytho.example/b", ""),
    ],
)
def test_the_source_is_the_campaign_or_the_other_host(url: str, referrer: str, source: str) -> None:
    page = read_page(url)
    assert page is not None
    assert source_of(page, referrer, SITE) == source


def test_a_site_counted_from_anywhere_still_tells_hosts_apart() -> None:
    page = read_page("https://a.example/")
    assert page is not None
    assert source_of(page, "https://b.example/", ANYWHERE) == "b.example"
    assert source_of(page, "https://a.example/x", ANYWHERE) == ""


def test_a_source_is_short() -> None:
    page = read_page(f"https://mytho.example/?utm_source={'x' * 900}")
    assert page is not None
    assert source_of(page, "", SITE) == "x" * 100


def test_long_addresses_are_read_and_not_remembered() -> None:
    before = [len(cache) for cache in (urls._known_pages, urls._known_hosts)]
    for number in range(20):
        url = f"https://mytho.example/{number}{'a' * 2000}"
        page = read_page(url)
        assert page is not None
        assert page.path == url.removeprefix("https://mytho.example")
        assert source_of(page, url.replace("mytho", "other"), SITE) == "other.example"
    after = [len(cache) for cache in (urls._known_pages, urls._known_hosts)]
    assert after == before


def test_a_link_says_more_of_its_campaign_within_bounds() -> None:
    page = read_page(
        "https://a.example/?utm_source=zalo&utm_medium=CPC&utm_campaign=qu%C3%BD+3&utm_term=%20x"
        f"&utm_content={'y' * 300}\u202e"
    )
    assert page is not None
    assert page.utm == Utm("CPC", "quý 3", "y" * MAX_SOURCE, "x", "zalo")
    for url in ("https://a.example/?a=1", "https://a.example/?utm_id=zalo"):
        page = read_page(url)
        assert page is not None
        assert page.utm == NO_UTM
