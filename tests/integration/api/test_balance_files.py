"""Files of old numbers: entered as one, once, seen before, and taken back as one."""

import asyncio
import io
from datetime import date, datetime
from typing import Any

import httpx
import openpyxl
import pytest

from services.store.interface import Store
from tests.integration.api.world import EITHER_STORE, TOKEN, Clock, write_counter

BALANCES = "/api/admin/sites/mytho/balances"
BULK = f"{BALANCES}/bulk"
COUNTER = "/api/counter/mytho"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
ARTICLES = 5000

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def send(
    client: httpx.AsyncClient, content: str | bytes, name: str = "file", **query: Any
) -> httpx.Response:
    body = content.encode() if isinstance(content, str) else content
    query = {"id": name, "reason": "bảng cũ", **query}
    return await client.post(BULK, params=query, content=body, headers=ADMIN, timeout=60)


async def tried(
    client: httpx.AsyncClient, content: str | bytes, name: str = "file"
) -> dict[str, Any]:
    answer = await send(client, content, name, dry_run=True)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def back(client: httpx.AsyncClient, name: str = "file") -> httpx.Response:
    body = {"reason": "nhầm"}
    return await client.post(f"{BULK}/{name}/reverse", json=body, headers=ADMIN, timeout=60)


async def ledger(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await client.get(BALANCES, headers=ADMIN)).json()["entries"]
    return entries


async def audited(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    answer = (await client.get("/api/admin/audit", headers=ADMIN)).json()
    return [
        (one["action"], one["subject"])
        for one in reversed(answer["entries"])
        if one["action"].startswith("balance.")
    ]


async def views(client: httpx.AsyncClient, clock: Clock, *paths: str) -> list[int]:
    clock.now += 2
    found = (await client.get(COUNTER, params={"path": list(paths)})).json()["paths"]
    return [found[path]["views"] for path in paths]


def workbook(*rows: tuple[Any, ...]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def articles(count: int = ARTICLES) -> list[tuple[str, int]]:
    return [(f"/tin-tức/bài-{number}", number * 7) for number in range(1, count + 1)]


@EITHER_STORE
async def test_thousands_of_articles_in_and_back_and_in_again(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    old = articles()
    total = sum(count for _, count in old)
    content = workbook(("Đường dẫn", "Tiêu đề", "Lượt xem"), *((p, "Bài", n) for p, n in old))
    some = ["/tin-tức/bài-1", "/tin-tức/bài-777", f"/tin-tức/bài-{ARTICLES}"]
    counted = [7, 5439, 7 * ARTICLES]
    await write_counter(store, "mytho", "total", date(1970, 1, 1), 2, views=5, path=some[0])

    preview = await tried(client, content)
    assert (preview["lines_read"], preview["lines"], preview["views"]) == (
        ARTICLES,
        ARTICLES,
        total,
    )
    assert (preview["format"], preview["ignored"], preview["refused"]) == ("XLSX", ["Tiêu đề"], 0)
    assert (await ledger(client), await audited(client)) == ([], [])
    assert await views(client, clock, *some) == [5, 0, 0]

    for round_, name in enumerate(("file", "file:2")):
        entered = await send(client, content, name)
        assert (entered.status_code, entered.json()["added"]) == (201, True)
        again = await send(client, content, name)
        assert (again.status_code, again.json()["added"]) == (200, False)
        assert await views(client, clock, *some) == [5 + counted[0], *counted[1:]]
        if round_ == 0:
            taken = await back(client)
            assert (taken.status_code, taken.json()["reversed"]) == (200, True)
            assert not (await back(client)).json()["added"]
            assert await views(client, clock, *some) == [5, 0, 0]
            after = await send(client, content, name)
            assert (after.json()["added"], after.json()["reversed"]) == (False, True)
            assert await views(client, clock, *some) == [5, 0, 0]

    listed = await ledger(client)
    assert [(one["id"], one["lines"], one["views"]) for one in listed] == [
        ("file", ARTICLES, total),
        ("reversal:file", ARTICLES, -total),
        ("file:2", ARTICLES, total),
    ]
    assert await audited(client) == [
        ("balance.import", "file"),
        ("balance.reverse", "file"),
        ("balance.import", "file:2"),
    ]


async def test_days_of_a_year_count_on_their_days(client: httpx.AsyncClient, clock: Clock) -> None:
    content = "day;visits;views\n2023-12-31;1.234;5.000\n1/1/2024;7;9\n03/01/2024;10;0\n"
    entered = (await send(client, content)).json()
    assert (entered["first"], entered["last"]) == ("2023-12-31", "2024-01-03")
    assert (entered["visits"], entered["views"]) == (1251, 5009)
    clock.now += 2
    shown = (await client.get(COUNTER)).json()
    assert (shown["today"], shown["this_week"], shown["total"]) == (10, 17, 0)
    (line,) = await ledger(client)
    assert (line["lines"], line["start"], line["last"]) == (3, "2023-12-31", "2024-01-03")
    assert [one["grain"] for one in await ledger(client)] == ["day"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("path,views\n/a,8307145\n", 8307145),
        ("path;views\n/a;8.307.145\n", 8307145),
        ("Đường dẫn\tLượt xem\n/a\t8 307 145\n", 8307145),
        ('\ufeffURL,Pageviews\n/a,"8,307,145"\n', 8307145),
        ("\ufeffpath\tviews\r\n/a\t12\r\n".encode("utf-16-le"), 12),
        ("\n\nviews,path\n\n1.000,/a\n", 1000),
        ("\u0110u\u031bo\u031b\u0300ng da\u0302\u0303n;L\u01b0\u01a1\u0323t xem\n/a;3\n", 3),
        ("path,views\nhttps://www.MyTho.example/a/?utm_source=x#top,3\n", 3),
        ("path,views\n/a,3\nhttp://mytho.example/a,4\n/a/,5\n/b,0\n", 12),
        (workbook(("path", "views"), (), ("/a", 8.0), ("/c", None)), 8),
        (workbook(("path", "views"), ("/a", "1.234")), 1234),
    ],
)
async def test_tables_are_understood_as_spreadsheets_write_them(
    client: httpx.AsyncClient, clock: Clock, content: str | bytes, expected: int
) -> None:
    entered = await send(client, content)
    assert (entered.status_code, entered.json()["lines"]) == (201, 1), entered.text
    assert await views(client, clock, "/a") == [expected]


async def test_lines_that_cannot_be_are_refused_by_their_number(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    content = (
        "path,views\n/a,1\n/b,1.5\nhttps://other.example/a,2\n/a,4\ntin/1,4\n/c,-5\n/d,1.00\n"
        "/e,99999999999999999\n/f,6\n/g,true\n//h,1\n"
    )
    preview = await tried(client, content)
    refused = {one["line"]: one["why"] for one in preview["refused_lines"]}
    assert sorted(refused) == [3, 4, 5, 6, 7, 8, 9, 11, 12]
    assert "'other.example' is no host of mytho" in refused[4]
    assert "same page as line 2" in refused[5]
    assert (preview["lines"], preview["views"], preview["refused"]) == (2, 7, 9)

    whole = await send(client, content)
    assert whole.status_code == 400
    assert "9 of 11 lines" in whole.json()["errors"]["file"][0]
    assert "line 3" in whole.json()["errors"]
    assert await ledger(client) == []
    part = await send(client, content, skip_refused=True)
    assert (part.status_code, part.json()["lines"]) == (201, 2)
    assert await views(client, clock, "/a", "/f", "/b") == [1, 6, 0]

    of_days = "ngày,lượt truy cập\n2024-01-04,1\n2024-01-03,2\n3/1/2024,3\n13/13/2023,1\n,5\n"
    days = await tried(client, of_days, "days")
    assert [one["line"] for one in days["refused_lines"]] == [2, 4, 5, 6]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is empty"),
        ("a,b;c\n", "comma and semicolon"),
        ("/a 7\n", "neither"),
        ("/a,7\n/b,8\n", "expected the names of the columns"),
        ("path,title\n/a,b\n", "expected the names of the columns"),
        ("path,views,views\n/a,1,2\n", "twice"),
        ("path,views\n", "holds no line"),
        ("path,views\n/a,0\n", "holds no count above 0"),
        ("path,views\n/a,1\n/\u1ec7,2\n".encode("cp1258", "replace") + b"\xff", "is not UTF-8"),
        ('path,views\n"/a,1\n', "line 2"),
        (b"PK\x03\x04 nothing of a workbook", "is no workbook"),
        (workbook(("path", "views"), ("/a", 1))[:-400], "is no workbook"),
        ("path,views\n" + "".join(f"/{n},1\n" for n in range(50_001)), "more than 50000 lines"),
    ],
    ids=[
        *("empty", "two separators", "no separator", "no names", "no views", "views twice"),
        *("no lines", "no counts", "not UTF-8", "open quote", "no zip", "cut zip", "too long"),
    ],
)
async def test_what_is_no_table_of_numbers_is_refused(
    client: httpx.AsyncClient, content: str | bytes, why: str
) -> None:
    refused = await send(client, content)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["file"])
    assert why in refused.json()["errors"]["file"][0]
    assert await ledger(client) == []


async def test_a_workbook_that_unpacks_to_more_than_it_seems_is_refused(
    client: httpx.AsyncClient,
) -> None:
    import zipfile

    for size in (33 * 2**20, 2**20):
        content = io.BytesIO(workbook(("path", "views"), ("/a", 1)))
        with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/media/bomb", b"\0" * size)
        answer = await send(client, content.getvalue(), dry_run=True)
        assert answer.status_code == (400 if size > 2**25 else 200)
    too_long = b"path,views\n" + b"/a,1\n" * 2_000_000
    assert (await send(client, too_long)).status_code == 413


async def test_other_content_under_the_same_id_is_refused_and_named(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await send(client, "path,views\n/a,1\n/b,2\n")
    same = await send(client, "views;path\n2;/b\n1;/a\n")
    assert (same.status_code, same.json()["added"]) == (200, False)
    for content, named in (
        ("path,views\n/a,1\n/b,3\n", "/b"),
        ("path,views\n/a,1\n", "with 2 entries, and this has 1"),
        ("path,views\n/a,1\n/b,2\n/c,3\n", "with 2 entries, and this has 3"),
    ):
        refused = await send(client, content)
        assert (refused.status_code, named in refused.json()["errors"]["id"][0]) == (409, True)
    assert (await send(client, "path,views\n/a,1\n/b,2\n", reason="x")).status_code == 409
    assert await views(client, clock, "/a", "/b") == [1, 2]

    entry = {"id": "single", "grain": "total", "visits": 1, "reason": "x"}
    await client.post(BALANCES, json={"entries": [entry]}, headers=ADMIN)
    assert (await send(client, "path,views\n/a,1\n", "single")).status_code == 409
    assert (await send(client, "path,views\n/a,1\n", "reversal:file")).status_code == 400
    for name in ("nothing", "single", "reversal:file"):
        assert (await back(client, name)).status_code == 404
        assert (await client.get(f"{BULK}/{name}", headers=ADMIN)).status_code == 404


async def test_a_bulk_entry_of_which_something_was_taken_back_cannot_go_below_zero(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await send(client, "path,views\n/a,10\n/b,2\n")
    entry = {"id": "less", "grain": "total", "path": "/a", "views": -4, "reason": "x"}
    assert (
        await client.post(BALANCES, json={"entries": [entry]}, headers=ADMIN)
    ).status_code == 201
    refused = await back(client)
    assert (refused.status_code, "/a" in str(refused.json())) == (400, True)
    assert await views(client, clock, "/a", "/b") == [6, 2]


async def test_the_same_file_sent_several_times_at_once_is_one(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    content = "path,views\n" + "".join(f"/{number},1\n" for number in range(500))
    answers = await asyncio.gather(*(send(client, content) for _ in range(5)))
    assert sorted(answer.json()["added"] for answer in answers) == [False] * 4 + [True]
    backs = await asyncio.gather(*(back(client) for _ in range(5)))
    assert sorted(answer.json()["added"] for answer in backs) == [False] * 4 + [True]
    assert await views(client, clock, "/7") == [0]
    assert [one["lines"] for one in await ledger(client)] == [500, 500]


async def test_days_of_a_workbook_are_days(client: httpx.AsyncClient, clock: Clock) -> None:
    content = workbook(
        ("Ngày", "Lượt truy cập"),
        (datetime.fromisoformat("2024-01-02"), 7097),
        (datetime.fromisoformat("2024-01-03"), 6325.0),
    )
    assert (await send(client, content)).status_code == 201
    clock.now += 2
    shown = (await client.get(COUNTER)).json()
    assert (shown["yesterday"], shown["today"]) == (7097, 6325)
