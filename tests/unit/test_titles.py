"""Titles are read from the beginning of pages, whatever portals write there."""

import time

import pytest

from services.api.sites.titles.page_title import MAX_BYTES, MAX_TITLE, tidy, title_of
from services.api.sites.titles.sitemap import SitemapReader


@pytest.mark.parametrize(
    ("page", "kind", "title"),
    [
        (b"<title>Tin &amp; b\xc3\xa0i</title>", "text/html", "Tin & bài"),
        (
            "<title>Đà</title>".encode("cp1258"),
            "text/html; charset=windows-1258",
            "Đà",
        ),
        ("<meta charset=utf-8><title>Đ</title>".encode(), "text/html", "Đ"),
        ("\ufeff<title>Đ</title>".encode("utf-16-le"), "text/html", "Đ"),
        (b"<title>\n a\t\xe2\x80\x8bb </title><title>c</title>", "text/html", "a b"),
        (b'<meta name="og:title" content="O"><title>t</title>', "text/html", "O"),
        (b'<meta property="og:title" content=" "><title>t</title>', "text/html", "t"),
        (b"<body><svg><title>Logo</title></svg>", "text/html", ""),
        (b"<title>no end", "text/html", ""),
        (b"\xff\x00\xfe", "text/html; charset=punycode", ""),
        (b"", "", ""),
    ],
)
def test_a_title_is_read(page: bytes, kind: str, title: str) -> None:
    assert title_of(page, kind) == title


def test_a_title_is_cut_and_has_nothing_that_is_not_seen() -> None:
    assert len(tidy("x" * 1000)) == MAX_TITLE
    assert tidy("\u202ea\x00\u200b\u2028b\r\n") == "a b"


def test_no_page_takes_long() -> None:
    """Time grows with the length alone: parsers of HTML have been slow on what has no end."""
    started = time.process_time()
    for piece in (b"<a ", b'<a="', b"<!--", b"</", b"<![CDATA[", b"<?", b"&", b"<!", b"<title>"):
        title_of(piece * (MAX_BYTES // len(piece)), "text/html")
    assert time.process_time() - started < 60


def test_a_sitemap_may_come_in_single_bytes() -> None:
    text = (
        "<?xml version='1.0' encoding='UTF-8'?><urlset xmlns='http://www.google.com/schemas/sitemap"
        "/0.84'><url><loc> https://mytho.example/a?b=1&amp;c=2 </loc><lastmod>2024-01-02</lastmod>"
        "</url><url><loc></loc></url><url><other><loc>https://x.example/</loc></other></url></urlset>"
    )
    reader = SitemapReader()
    found = [entry for byte in text.encode() for entry in reader.feed(bytes([byte]))]
    found += reader.end()
    [entry] = found
    assert entry.url == "https://mytho.example/a?b=1&c=2"
    assert (entry.changed, entry.title, entry.is_sitemap) == ("2024-01-02", "", False)
