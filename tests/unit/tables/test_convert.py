"""The command `luot convert`, and what holds for every format."""

import io
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner, Result

from services.cli.main import app
from services.tables import file as table_file
from services.tables import sql
from services.tables.formats.known import FORMATS
from services.tables.line import TableError
from tests.unit.tables.exports import converted, pack, write

PAGES = (
    "path,views,date\n/tin/1,445,2025-07-01\n/tin/1,5,2025-07-02\n,7,2025-07-02\n/,12,2025-07-02\n"
)
DAYS = "day;visits;views\n2024-12-31;6325;9000\n2025-01-01;7097;10001\n"


def luot(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


def test_pages_are_printed_as_the_lines_of_opening_balances(tmp_path: Path) -> None:
    done = luot(write(tmp_path, PAGES))
    assert (done.exit_code, done.stdout) == (0, "path,views\n/tin/1,450\n/,12\n")
    assert "plain, 3 lines" in done.stderr
    assert "left out: 1 rows without a path" in done.stderr
    assert "pages: 2, 0 visits, 462 views (printed)" in done.stderr


def test_days_are_printed_with_their_span(tmp_path: Path) -> None:
    done = luot(write(tmp_path, DAYS))
    assert done.exit_code == 0
    assert done.stdout == "day,visits,views\n2024-12-31,6325,9000\n2025-01-01,7097,10001\n"
    assert "2024-12-31 to 2025-01-01, 13422 visits, 19001 views" in done.stderr


def test_what_is_printed_is_read_again_and_gives_the_same(tmp_path: Path) -> None:
    for text in (PAGES, DAYS):
        first = luot(write(tmp_path, text)).stdout
        assert luot(write(tmp_path, first, "again.csv")).stdout == first


def test_another_format_than_the_file_has_is_refused(tmp_path: Path) -> None:
    done = luot(write(tmp_path, PAGES), "--format", "nukeviet")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "it looks like plain" in " ".join(done.stderr.split())


def test_a_format_that_is_none_names_those_there_are(tmp_path: Path) -> None:
    done = luot(write(tmp_path, PAGES), "--format", "webtrends")
    assert done.exit_code == 2
    assert all(known.name in done.stderr for known in FORMATS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("title,author\nx,y\n", r"of no format that is known \(columns: title, author\)"),
        ("path,views\n/a,1\n/b,-5\n", "export.csv, line 3: views is '-5'; expected a number"),
        ("path,views\n/a,1.250\n", "line 2: views is '1.250'"),
        ("path,views,Views\n/a,1,2\n", "line 1: names the column 'views' twice"),
        ("path,views\n/a,1\n/b,2,3\n", "line 3: 3 fields; expected 2"),
        ('path,views\n/a,1\n"/b,2\n', "line 3: is no line of CSV"),
        ("day,visits\n2025-02-30,1\n", "line 2: day is '2025-02-30'; expected a day"),
        ("path,views\n/" + "a" * 1_100_000, "line 2: is longer than 1048576"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        converted(write(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nothing.csv cannot be read: No such file"):
        converted(tmp_path / "nothing.csv")


def test_utf_16_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        _, sums, _ = converted(write(tmp_path, "path,views\n/tin-tức,7\n", encoding=encoding))
        assert sums.pages["/tin-tức"].views == 7


def test_an_address_that_is_not_utf_8_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes("path,views\n/b\xe0i,7\n/b,1\n".encode("latin-1"))
    _, sums, left_out = converted(path)
    assert list(sums.pages) == ["/b"]
    assert left_out == {"addresses that are not UTF-8, or too long": 1}


def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "FREE_BYTES", 1 << 20)
    text = "path,views\n" + "/a,1\n" * 1_000_000
    for path in (
        write(tmp_path, text, "bomb.csv.gz"),
        pack(tmp_path, {"a.csv": text[:900_000], "b.csv": text[:900_000]}),
    ):
        with pytest.raises(TableError, match="bytes unpacked, 200 times its size"):
            converted(path)


def test_a_damaged_file_and_a_spreadsheet_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, PAGES, "cut.csv.gz")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(TableError, match=r"cut.csv.gz cannot be read"):
        converted(path)
    with pytest.raises(TableError, match="is a spreadsheet; expected it saved as CSV"):
        converted(pack(tmp_path, {"xl/workbook.xml": ""}, "book.xlsx"))


def test_a_dump_is_read_the_same_wherever_its_pieces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "-- dump\nCREATE TABLE `nv4_vi_news_rows` (`id` int, `alias` text, `hitstotal` int);\n"
        "INSERT INTO `nv4_vi_news_rows` VALUES (1,'it''s\\' \\\\',12),\n(2,'/*;*/ -- x',3);"
    )
    path = write(tmp_path, text, "news.sql")
    whole = converted(path, address="/{alias}")
    assert dict(whole[1].pages) == {"/it's' \\": (0, 12), "//*;*/ -- x": (0, 3)}
    for size in range(1, 40):
        monkeypatch.setattr(sql, "PIECE", size)
        assert converted(path, address="/{alias}") == whole


def test_a_script_of_sql_server_is_read_the_same_wherever_its_pieces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "/* It's (a) \"script\"; INSERT INTO x VALUES */ USE [dnn]\nGO/* a 'b */\n"
        "INSERT [dbo].[nv4_vi_news_rows] ([id], [alias], [hitstotal]) VALUES (1,"
        " N'it''s, (a) \\', 12/* 'views' */), (2, n'/* \"x\" */', CAST(N'3' AS Int) /*)*/)\nGO\n"
    )
    path = write(tmp_path, text, "script.sql")
    whole = converted(path, address="/{alias}")
    assert dict(whole[1].pages) == {"/it's, (a) \\": (0, 12), '//* "x" */': (0, 3)}
    for size in range(1, 80):
        monkeypatch.setattr(sql, "PIECE", size)
        assert converted(path, address="/{alias}") == whole


@pytest.mark.parametrize("open_value", ["N'a", "n'", "/* a", "1/* a 'b'"])
def test_a_value_or_comment_that_the_file_cuts_is_refused(tmp_path: Path, open_value: str) -> None:
    text = "INSERT INTO nv4_vi_news_rows (id, alias, hitstotal) VALUES (1, 'a', 2), (2, "
    path = write(tmp_path, text + open_value, "news.sql")
    with pytest.raises(TableError, match="has no end"):
        converted(path, address="/{alias}")


def test_scripts_of_sql_server_are_read(tmp_path: Path) -> None:
    text = (
        "USE [dnn]\nGO\nINSERT [dbo].[nv4_vi_news_rows] ([id], [alias], [hitstotal]) VALUES"
        " (1, N'kỳ ''họp''\\', CAST(445 AS Int))\nGO\n"
        "INSERT [dbo].[nv4_vi_news_rows] ([id], [alias], [hitstotal]) VALUES (2, NULL, 7)\n"
        "INSERT [dbo].[nv4_vi_news_rows] ([id], [alias], [hitstotal]) VALUES (3, N'', 8)\n"
    )
    path = write(tmp_path, text, "script.sql", encoding="utf-16")
    _, sums, _ = converted(path, address="/{id}/{alias}")
    assert {page: count.views for page, count in sums.pages.items()} == {
        "/1/kỳ 'họp'\\": 445,
        "/2/": 7,
        "/3/": 8,
    }


def test_a_dump_of_long_texts_is_read_in_small_pieces() -> None:
    class Text(io.StringIO):
        sizes: ClassVar[list[int]] = []

        def read(self, size: int | None = -1, /) -> str:
            self.sizes.append(size or 0)
            return super().read(size)

    row = "(1,'" + "nội dung " * 2000 + "')"
    rows = sql.Dump(Text("INSERT INTO `a` (`b`, `c`) VALUES " + ",".join([row] * 500) + ";"))
    assert all(len(row.values["c"]) == sql.MAX_KEPT for row in rows.rows(lambda _: True))
    assert len(Text.sizes) > 20
    assert max(Text.sizes) <= 2 * sql.PIECE


def test_a_dump_without_columns_is_told_of_and_hides_no_other_table(tmp_path: Path) -> None:
    unnamed = "INSERT INTO `log` VALUES (1,'x');\n"
    with pytest.raises(TableError, match=r"log: columns that are not named, as CREATE TABLE"):
        converted(write(tmp_path, unnamed, "data.sql"))
    named = unnamed + "INSERT INTO `node_counter` (`nid`, `totalcount`, `daycount`) VALUES (2,9,1);"
    assert converted(write(tmp_path, named, "both.sql"))[1].pages == {"/node/2": (0, 9)}
