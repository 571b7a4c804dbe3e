"""Addresses that are the same page."""

import pytest

from services.model.page_aliases import MAX_BELOW, PageAlias
from services.model.site import Site


def site(*pairs: tuple[str, str], **more: object) -> Site:
    aliases = tuple(PageAlias(address, page) for address, page in pairs)
    return Site(slug="mytho", page_aliases=aliases, **more)  # type: ignore[arg-type]


def test_a_path_counts_as_its_page_and_a_page_has_all_its_addresses() -> None:
    one = site(("/cu/1", "/tin/1"), ("/cu/2", "/tin/1"), ("/en/*", "/*"), ("/en/tin/9", "/tin/8"))
    for address in ("/cu/1", "/cu/2", "/en/tin/1", "/tin/1"):
        assert one.page_of(address) == "/tin/1"
    assert one.addresses_of("/tin/1") == ("/tin/1", "/cu/1", "/cu/2", "/en/tin/1")
    # An alias of one address goes before those of all below.
    assert one.page_of("/en/tin/9") == "/tin/8"
    assert one.addresses_of("/tin/9") == ("/tin/9",)
    assert set(one.addresses_of("/tin/8")) == {"/tin/8", "/en/tin/9", "/en/tin/8"}
    # Below is not the page itself, and no other name that begins so.
    for path in ("/en", "/english", "/enter/1"):
        assert one.page_of(path) == path


def test_the_longer_address_goes_first() -> None:
    one = site(("/a/*", "/x/*"), ("/a/b/*", "/y/*"))
    assert (one.page_of("/a/b/1"), one.page_of("/a/c/1")) == ("/y/1", "/x/c/1")
    assert one.addresses_of("/x/b/1") == ("/x/b/1",)


def test_every_address_of_a_page_counts_as_it() -> None:
    one = site(("/a/*", "/x/*"), ("/a/b/*", "/y/*"), ("/a/b/1", "/z"))
    for page in ("/x/1", "/x/b/1", "/y/1", "/y/2", "/z", "/other"):
        for address in one.addresses_of(page):
            assert one.page_of(address) == page


def test_aliases_are_kept_as_paths_are_counted() -> None:
    one = site(("/Cu/1/?utm=a", "/Tin/index.html"), ("/EN/*", "/VI/*"), fold_case=True)
    assert one.page_aliases == (PageAlias("/cu/1", "/tin"), PageAlias("/en/*", "/vi/*"))


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([("/a", "/a/")], "the page itself"),
        ([("a", "/b")], "not a path"),
        ([("/a*", "/b")], "not a path"),
        ([("/a/*", "/b")], "both end"),
        ([("/a", "/b"), ("/a/", "/c")], "twice"),
        ([("/a", "/b"), ("/b", "/c")], "another page itself"),
        ([("/a/*", "/b/*"), ("/b/*", "/a/*")], "another page itself"),
        ([(f"/{number}/*", "/x/*") for number in range(MAX_BELOW + 1)], "more than"),
        ([(f"/{number}/{'a' * 400}", "/x") for number in range(150)], "bytes of paths"),
    ],
)
def test_what_says_nothing_clear_is_refused(pairs: list[tuple[str, str]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        site(*pairs)
