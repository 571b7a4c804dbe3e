"""One page, one path."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.model.paths import MAX_BYTES, normalise
from services.model.site import Site


@pytest.mark.parametrize(
    ("path", "folded"),
    [
        ("", "/"),
        ("/", "/"),
        ("/tin-tuc/", "/tin-tuc"),
        ("/tin-tuc/index.html", "/tin-tuc"),
        ("/index.php", "/"),
        ("/Index.ASPX", "/"),
        ("/index.php/index.html/", "/"),
        ("/index", "/index"),
        ("/my.index.html", "/my.index.html"),
        ("//a///b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/../../a", "/a"),
        ("/%2e%2E/a", "/a"),
        ("/a#b", "/a"),
        ("/a%23b", "/a%23b"),
        ("/tin%20t%E1%BB%A9c", "/tin tức"),
        ("/tin tức", "/tin tức"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%3Fb", "/a%3Fb"),
        ("/100%", "/100%25"),
        ("/100%25", "/100%25"),
        ("/%zz", "/%25zz"),
        ("/a%00b%0d%0ac", "/abc"),
        ("/a\u202eb", "/ab"),
        ("/web/guest/home;jsessionid=0A1B.node1", "/web/guest/home"),
        ("/a;jsessionid=1/b", "/a/b"),
        ("relative/page", "/relative/page"),
    ],
)
def test_the_spellings_of_a_page_are_one_path(path: str, folded: str) -> None:
    assert normalise(path) == folded


def test_vietnamese_in_two_unicode_forms_is_one_path() -> None:
    composed, decomposed = "/th\u1ed1ng-k\u00ea", "/tho\u0302\u0301ng-ke\u0302"
    assert normalise(composed) == normalise(decomposed) == composed
    assert normalise("/tho%CC%82%CC%81ng-ke%CC%82") == composed


def test_broken_utf8_is_replaced_and_not_refused() -> None:
    assert normalise("/%ff%fe/a") == "/\ufffd\ufffd/a"


def test_parameters_are_dropped_unless_the_site_names_them() -> None:
    assert normalise("/", "tabid=12&utm_source=zalo") == "/"
    assert normalise("/", "utm_source=zalo&tabid=12", ("tabid",)) == "/?tabid=12"


def test_significant_parameters_come_in_the_order_of_the_site() -> None:
    assert normalise("/index.php", "op=view&x=1&nv=news", ("nv", "op")) == "/?nv=news&op=view"


def test_the_index_page_of_a_dnn_portal_is_its_folder() -> None:
    assert normalise("/Default.aspx", "tabid=70", ("tabid",)) == "/?tabid=70"
    assert normalise("/vi/default.asp") == "/vi"


def test_a_parameter_without_a_value_or_given_twice_makes_no_second_page() -> None:
    assert normalise("/a", "tabid=", ("tabid",)) == "/a"
    assert normalise("/a", "tabid=1&tabid=2", ("tabid",)) == "/a?tabid=1"
    assert normalise("/a", "TabId=1", ("tabid",)) == "/a?tabid=1"


def test_a_value_cannot_pose_as_another_parameter() -> None:
    names = ("a", "b")
    assert normalise("/", "a=1%26b%3D2", names) == "/?a=1%26b=2"
    assert normalise("/", "a=1%26b%3D2", names) != normalise("/", "a=1&b=2", names)


def test_a_long_path_is_cut_between_characters() -> None:
    path = normalise("/" + "ứ" * 400)
    assert len(path.encode()) <= MAX_BYTES
    assert path == "/" + "ứ" * ((MAX_BYTES - 1) // 3)


def test_a_cut_never_leaves_half_an_escape() -> None:
    for length in range(MAX_BYTES - 4, MAX_BYTES + 1):
        path = normalise("/" + "a" * (length - 1) + "%2Fb")
        assert path.rstrip("a") in ("/", f"/{'a' * (length - 1)}%2F", f"/{'a' * (length - 1)}%2Fb")


URLISH = st.text(alphabet="/.%?#&=;ab2Ff3507índex.phtml\u0301\u0307 +\x00\n", max_size=80)


@given(URLISH | st.text(max_size=700), URLISH | st.text(max_size=300))
@example("/%2F\u0307", "")
@example("/" + "a" * 508 + "/..b", "")
@example("/a/index.htm" + "l" * 600, "tabid=1")
@example("/" + "x/" * 300, "b=" + "ứ" * 300)
def test_a_path_normalised_again_is_the_same_path(path: str, query: str) -> None:
    names = ("tabid", "b")
    folded = normalise(path, query, names, fold_case=True)
    page, _, rest = folded.partition("?")
    assert normalise(page, rest, names, fold_case=True) == folded
    once = normalise(path, query, names)
    assert once.startswith("/")
    assert len(once.encode()) <= MAX_BYTES
    assert once.isprintable() or not once.isascii()
    again, _, parameters = once.partition("?")
    assert normalise(again, parameters, names) == once


@pytest.mark.parametrize(
    ("path", "query", "counted"),
    [
        ("/", "#/tin/1", "/tin/1"),
        ("/#/tin/1", "", "/tin/1"),
        ("/#!/tin/1/", "", "/tin/1"),
        ("/app/index.html", "#/tin/1", "/app/tin/1"),
        ("/app", "utm=1#/tin?nv=2&x=3", "/app/tin?nv=2"),
        ("/a", "nv=1#/b", "/a/b?nv=1"),
        ("/a", "nv=1#/", "/a?nv=1"),
        ("/a", "nv=1#top", "/a?nv=1"),
        ("/a#top", "", "/a"),
        ("/a", "", "/a"),
    ],
)
def test_a_route_in_the_fragment_is_a_path_where_the_site_says_so(
    path: str, query: str, counted: str
) -> None:
    site = Site(slug="mytho", significant=("nv",), hash_routes=True)
    assert site.counted_path(path, query) == counted
    plain = msgspec.structs.replace(site, hash_routes=False)
    assert plain.counted_path(path, query) == normalise(
        path.partition("#")[0], query.partition("#")[0], ("nv",)
    )
