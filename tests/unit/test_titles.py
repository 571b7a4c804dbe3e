"""Titles are read from the beginning of pages, whatever portals write there."""

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.api.sites.titles.page_title import MAX_BYTES, MAX_TITLE, tidy, title_of
from services.api.sites.titles.sitemap import SitemapReader
from services.api.sites.titles.title_file import lines_of
from services.cli.main import app


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


@pytest.mark.parametrize(
    "declaration",
    [
        *("<![x[ y ]]>", "<![x[>", "<![x y]>", "<![ [x]]>", "<![>", "<![CDATA[ y ]]>"),
        *("<![if !IE]>y<![endif]>", "<!--[if IE]><title>y</title><![endif]-->"),
        *("<!>", "<!5>", "<!a<!b>", "<!ELEMENT y>", "<!doctype>", "<!DOCTYPE html [<!ENTITY y>]>"),
        *("<!-->", "<!--->", "<!---->", "<!-- y --!>", "<!-- y -- > y -->"),
    ],
)
def test_a_title_is_read_behind_whatever_is_declared(declaration: str) -> None:
    page = f"<html><head>{declaration}<meta charset=utf-8><title>Đà</title>"
    assert title_of(page.encode(), "text/html") == "Đà"


@pytest.mark.parametrize("begun", ["<!", "<![", "<![x[", "<!--", "<!-- <title>b</title> --"])
def test_what_is_declared_and_does_not_end_has_no_title(begun: str) -> None:
    assert title_of(begun.encode(), "text/html") == ""
    assert title_of(f"<title>a</title>{begun}".encode(), "text/html") == "a"


def test_a_title_is_cut_and_has_nothing_that_is_not_seen() -> None:
    assert len(tidy("x" * 1000)) == MAX_TITLE
    assert tidy("\u202ea\x00\u200b\u2028b\r\n") == "a b"


def test_no_page_takes_long() -> None:
    """Time grows with the length alone: parsers of HTML have been slow on what has no end."""
    started = time.process_time()
    unended = (b"<a ", b'<a="', b"<!--", b"</", b"<![CDATA[", b"<?", b"&", b"<!", b"<title>")
    for piece in (*unended, b"<![", b"<![x[", b"<!-- --", b"<!---"):
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("heading", ["", "Đường dẫn{0}Tiêu đề\r\n"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_file_of_titles_may_be_as_spreadsheets_save_it(
    mark: str, heading: str, encoding: str
) -> None:
    titles = ["Lịch (tuần 48)", 'Họp "báo"; quý I, 2026\t(mới)', "Đà Nẵng"]
    cells = ['"' + title.replace('"', '""') + '"' for title in titles]
    lines = [f"/tin/{number}{mark}{cell}\r\n" for number, cell in enumerate(cells)]
    content = (heading.format(mark) + "".join(lines)).encode(encoding)
    found = lines_of(content)
    assert [(line.page, line.title) for line in found] == [
        (f"/tin/{number}", title) for number, title in enumerate(titles)
    ]
    assert found[0].number == (2 if heading else 1)


def test_what_comes_first_in_the_first_line_divides_path_and_title() -> None:
    [line] = lines_of("/tin/1;Lịch, tuần 48\n".encode())
    assert (line.page, line.title) == ("/tin/1", "Lịch, tuần 48")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"/tin/1;Mot\n\n/tin/2\n;Ba\n", "dòng 3 không được nhận: cần đường dẫn và tiêu đề"),
        (b"/tin/1;Mot\n\n/tin/2\n;Ba\n", "2 trong 3 dòng không được nhận, chưa ghi gì"),
        (b"path,title\n/tin/1,\xff\n", "dòng 2 không ở bảng mã UTF-8"),
        (b"path,title\n", "không có dòng nào gồm đường dẫn và tiêu đề"),
    ],
)
def test_the_command_names_the_lines_that_will_not_do(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    file = tmp_path / "titles.csv"
    file.write_bytes(content)
    # Nobody is asked before the file is read.
    given = ["titles", "import", "mytho", str(file)]
    done = CliRunner().invoke(app, given, env={"LANG": "vi_VN.UTF-8", "LC_ALL": "", "LUOT_URL": ""})
    assert done.exit_code == 2
    assert expected in " ".join(done.output.split())
