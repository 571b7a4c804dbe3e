"""The page of old numbers: typed as the old block showed them, looked at, entered, taken back."""

import base64
import io
import random
import re
import zlib
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import openpyxl
import pytest

from services.model.calendar import EPOCH
from services.store.interface import Store
from tests.integration.api.people import add_user, audit, browser
from tests.integration.api.world import HANOI, TOKEN, Clock, write_counter

PAGE = "/admin/sites/mytho/balances"
ADMIN = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html", "Accept-Language": "en"}
SHOWN = {
    "total": "00008307145",
    "today": "6325",
    "yesterday": "7.097",
    "this_month": "119944",
    "last_month": "108,517",
    "this_year": "119944",
    "last_year": "1 845 672",
}
NUMBERS = {
    "total": 8307145,
    "today": 6325,
    "yesterday": 7097,
    "this_month": 119944,
    "last_month": 108517,
    "this_year": 119944,
    "last_year": 1845672,
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def look(client: httpx.AsyncClient, **typed: str) -> httpx.Response:
    return await client.get(PAGE, params={**typed, "look": "1"}, headers=ADMIN)


def hidden(page: str) -> dict[str, list[str]]:
    """Return the fields that the form of a preview sends back."""
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page):
        fields.setdefault(name, []).append(value)
    return fields


async def confirm(
    client: httpx.AsyncClient, page: str, reason: str = "DNN", **typed: str
) -> httpx.Response:
    sent = {**hidden(page), "reason": reason}
    query = urlencode({**typed, "look": "1"})
    return await client.post(f"{PAGE}?{query}", data=sent, headers=ADMIN)


async def type_in(client: httpx.AsyncClient, **typed: str) -> None:
    page = await look(client, **typed)
    assert page.status_code == 200, page.text
    answer = await confirm(client, page.text, **typed)
    assert answer.status_code == 303, answer.text


async def numbers(client: httpx.AsyncClient, clock: Clock, **query: str) -> dict[str, Any]:
    clock.now += 2
    answer: dict[str, Any] = (await client.get("/api/counter/mytho", params=query)).json()
    return answer


async def count(store: Store, views: int = 1) -> None:
    """Write what is counted on 3 January 2024."""
    year = date(2024, 1, 1)
    days = {"day": date(2024, 1, 3), "month": year, "year": year, "total": EPOCH}
    for grain, start in days.items():
        await write_counter(store, "mytho", grain, start, views, views=views, position=views)


def block_of(page: str) -> str:
    return "\n".join(a + b for a, b in re.findall(r"<span>([^<]*)</span><b>([^<]*)", page))


async def test_what_is_typed_is_what_the_block_shows_and_goes_on_from(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(store, 2)
    page = await look(client, **SHOWN)
    assert "nothing is changed yet" in page.text
    assert "set &#34;Digits on top&#34; to 11" in page.text
    frame = await client.get(f"{PAGE}/block", params=SHOWN, headers=ADMIN)
    assert frame.headers["content-security-policy"].startswith("default-src 'none'; style-src")
    assert "Tổng lượt truy cập: 8.307.145" in block_of(frame.text)
    assert "Hôm qua: 7.097" in block_of(frame.text)
    assert (await numbers(client, clock))["total"] == 2

    answer = await confirm(client, page.text, **SHOWN)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?saved=1")
    shown = await numbers(client, clock)
    assert {name: shown[name] for name in NUMBERS} == NUMBERS
    await count(store, 3)
    shown = await numbers(client, clock)
    assert (shown["today"], shown["this_year"], shown["total"]) == (6326, 119945, 8307146)
    assert shown["yesterday"] == 7097
    ((action, after),) = [
        (one["action"], one["after"]) for one in await audit(client) if "balance" in one["action"]
    ]
    assert (action, after["lines"]) == ("balance.add", 7)


async def test_sent_twice_it_counts_once_and_what_was_looked_at_before_is_refused(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    first, other = await look(client, total="500"), await look(client, total="700")
    for _ in range(2):
        assert (await confirm(client, first.text, total="500")).status_code == 303
    refused = await confirm(client, other.text, total="700")
    assert refused.status_code == 400
    assert "Something else was entered since the preview" in refused.text
    assert 'name="total" value="700"' in refused.text
    assert (await numbers(client, clock))["total"] == 500
    assert "there is nothing to enter" in (await look(client, total="500")).text
    # Typed again, a number is put right in either direction.
    for total in ("700", "600"):
        await type_in(client, total=total)
        assert (await numbers(client, clock))["total"] == int(total)


async def test_an_entry_is_taken_back_by_one_button_and_typed_again(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(store, 1)
    await type_in(client, **SHOWN)
    page = await client.get(PAGE, headers=ADMIN)
    (action,) = re.findall(r'action="([^"]*/reverse)"', page.text)
    assert "Total: 8,307,144 visits" in page.text
    assert (await client.post(action, data={"reason": ""}, headers=ADMIN)).status_code == 400
    for _ in range(2):
        answer = await client.post(action, data={"reason": "nhầm dòng"}, headers=ADMIN)
        assert answer.status_code == 303
    shown = await numbers(client, clock)
    assert (shown["total"], shown["last_year"]) == (1, 0)
    page = await client.get(PAGE, headers=ADMIN)
    assert "reversed</span>" in page.text
    assert "nhầm dòng" in page.text
    assert "/reverse" not in page.text
    await type_in(client, **SHOWN)
    assert (await numbers(client, clock))["total"] == 8307145
    missing = await client.post(f"{PAGE}/none/reverse", data={"reason": "x"}, headers=ADMIN)
    assert missing.status_code == 400


async def test_a_single_entry_of_the_command_line_is_listed_and_taken_back(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    entry = {"id": "year:2023", "grain": "year", "start": "2023-01-01", "reason": "r"}
    body = {"entries": [{**entry, "visits": 12, "views": 30}]}
    assert (
        await client.post("/api/admin/sites/mytho/balances", json=body, headers=ADMIN)
    ).status_code == 201
    page = await client.get(PAGE, headers=ADMIN)
    assert "Year 2023: 12 visits, 30 views" in page.text
    back = await client.post(f"{PAGE}/year:2023/reverse", data={"reason": "x"}, headers=ADMIN)
    assert back.status_code == 303
    assert (await numbers(client, clock))["last_year"] == 0


async def test_a_week_is_divided_among_its_other_days(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    # The 3rd of January 2024 is a Wednesday.
    week = {"today": "5", "yesterday": "7", "this_week": "22", "last_week": "71"}
    await type_in(client, **week)
    shown = await numbers(client, clock)
    assert {name: shown[name] for name in week} == {name: int(text) for name, text in week.items()}
    clock.set(datetime(2024, 1, 9, 12, tzinfo=HANOI))
    assert (await numbers(client, clock))["last_week"] == 22
    refused = await look(client, this_week="10")
    assert refused.status_code == 400
    assert "differs by 10" in refused.text


async def test_what_cannot_be_is_said_beside_what_was_typed(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store, 5)
    for typed, said in (
        ({"total": "tám triệu"}, "tám triệu is no count"),
        ({"total": "4"}, "lower than what Luot itself has counted"),
        ({"this_month": "12.5"}, "12.5 is no count"),
    ):
        page = await look(client, **typed)
        assert page.status_code == 400
        assert said in page.text
        ((name, text),) = typed.items()
        assert f'name="{name}" value="{text}"' in page.text
    for entry in ("day:1:5", "week:0:5", "total:0:x", "year:99999999:1", "total:0:0", "month:3:1"):
        sent = {"id": "block:1", "lines": "0", "entry": [entry], "reason": "r"}
        refused = await client.post(PAGE, data=sent, headers=ADMIN)
        assert (entry, refused.status_code) == (entry, 303 if entry == "day:1:5" else 400)
    bad = {"id": "../x", "lines": "1", "entry": ["total:0:1"], "reason": "r"}
    assert (await client.post(PAGE, data=bad, headers=ADMIN)).status_code == 400


async def test_views_are_typed_where_the_block_shows_views(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    change = {"metric": "views"}
    edit = await client.patch("/api/admin/sites/mytho", json=change, headers=ADMIN)
    assert edit.status_code == 200
    await type_in(client, total="445")
    assert (await numbers(client, clock, metric="views"))["total"] == 445
    assert (await numbers(client, clock, metric="visits"))["total"] == 0


async def test_a_viewer_reads_the_list_and_a_form_of_another_page_is_refused(
    client: httpx.AsyncClient,
) -> None:
    await type_in(client, total="500")
    for name, role, may in (("lan", "viewer", False), ("nga", "editor", True)):
        await add_user(client, name, role)
        async with browser(client, name) as own:
            page = await own.get(PAGE, params={"look": "1", "total": "9"}, headers=html())
            assert page.status_code == 200
            assert "Total: 500 visits" in page.text
            assert ('name="total"' in page.text, 'id="found"' in page.text) == (may, may)
            sent = {**hidden(page.text), "csrf": "no", "reason": "r"}
            assert (await own.post(PAGE, data=sent, headers=html())).status_code == 403


def html() -> dict[str, str]:
    return {"Accept": "text/html", "Accept-Language": "en"}


def packed(page: str) -> dict[str, Any]:
    return {name: values[0] for name, values in hidden(page).items()}


async def upload(client: httpx.AsyncClient, content: str | bytes, **more: Any) -> httpx.Response:
    body = content.encode() if isinstance(content, str) else content
    files = {"file": ("số liệu.csv", body, "text/csv")}
    return await client.post(f"{PAGE}/file", files=files, headers={**ADMIN, **more}, timeout=60)


async def enter_file(client: httpx.AsyncClient, page: str, **more: str) -> httpx.Response:
    sent = {**packed(page), "enter": "1", "reason": "bảng cũ", **more}
    fields = {name: (None, value) for name, value in sent.items()}
    return await client.post(f"{PAGE}/file", files=fields, headers=ADMIN, timeout=60)


async def views_of(client: httpx.AsyncClient, clock: Clock, path: str) -> int:
    shown = await numbers(client, clock, path=path)
    views: int = shown["paths"][path]["views"]
    return views


async def test_a_workbook_of_5000_articles_is_looked_at_entered_once_and_taken_back(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["Đường dẫn", "Lượt xem", "Tác giả"])
    for number in range(5000):
        sheet.append([f"/tin-tuc/bai-{number}.html", number + 1, "Lan"])
    kept = io.BytesIO()
    book.save(kept)
    total = sum(range(1, 5001))

    async def looked() -> str:
        page = await upload(client, kept.getvalue())
        assert page.status_code == 200, page.text
        assert f"5,000 lines; 5,000 numbers would be entered: {total:,} views." in page.text
        assert "Columns not used: Tác giả." in page.text
        assert page.text.count('<th scope="row"') == 10
        return page.text

    text = await looked()
    assert await views_of(client, clock, "/tin-tuc/bai-44.html") == 0
    for _ in range(2):
        assert (await enter_file(client, text)).status_code == 303
    assert await views_of(client, clock, "/tin-tuc/bai-44.html") == 45
    again = await upload(client, kept.getvalue())
    assert again.status_code == 400
    assert "was entered before, by admin token" in again.text
    page = await client.get(PAGE, headers=ADMIN)
    assert f"5,000 numbers: {total:,} views" in page.text.replace("5000", "5,000")
    (action,) = re.findall(r'action="([^"]*/reverse)"', page.text)
    back = await client.post(action, data={"reason": "nhầm"}, headers=ADMIN, timeout=60)
    assert back.status_code == 303
    assert await views_of(client, clock, "/tin-tuc/bai-44.html") == 0
    assert (await enter_file(client, await looked())).status_code == 303
    assert await views_of(client, clock, "/tin-tuc/bai-4999.html") == 5000
    done = [(one["action"], one["subject"]) for one in await audit(client)]
    assert [action for action, _ in done] == ["balance.import", "balance.reverse", "balance.import"]


async def test_a_file_brings_total_years_months_and_days(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    rows = "kỳ;lượt truy cập\ntổng;8.307.145\n2023;1.845.672\nnăm 2019;1.200.000\n"
    rows += "12/2023;108.517\ntháng 1/2024;119.944\n2024-01-03;6325\n2/1/2024;7097\n"
    page = await upload(client, rows)
    assert page.status_code == 200, page.text
    assert "Year 2019" in page.text
    assert "<del>0</del> → <strong>1,845,672</strong>" in page.text
    assert (await enter_file(client, page.text)).status_code == 303
    shown = await numbers(client, clock)
    expected = {**NUMBERS, "this_year": 0}
    assert {name: shown[name] for name in expected} == expected


async def test_lines_that_are_refused_are_shown_and_left_out_on_purpose_only(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    rows = "period,day,visits\n2020,,12\n2020,,13\n2021-13,,5\n,2024-01-02,7\n2019,2019-01-01,1\n"
    page = await upload(client, rows + "2999,,1\n")
    assert page.status_code == 200
    for said in (
        "4 lines cannot be entered",
        'Line 3: <span lang="en">has the same year as line 2',
        "2021-13",
        "has a day and a period",
        "expected a day from 1970-01-01 to the site&#39;s today",
    ):
        assert said in page.text
    assert (await enter_file(client, page.text)).status_code == 400
    assert (await numbers(client, clock))["yesterday"] == 0
    assert (await enter_file(client, page.text, skip_refused="on")).status_code == 303
    assert (await numbers(client, clock))["yesterday"] == 7


async def test_a_date_of_excel_that_may_be_a_month_is_not_guessed(
    client: httpx.AsyncClient,
) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["kỳ", "lượt truy cập"], [2019, 5], [date(2020, 1, 1), 7], [2021.0, 6]):
        book.active.append(row)
    kept = io.BytesIO()
    book.save(kept)
    page = await upload(client, kept.getvalue())
    assert "the day, or the whole month" in page.text
    assert "3 lines; 2 numbers would be entered: 11 visits." in page.text


async def test_what_is_no_file_of_numbers_is_said_on_the_page(client: httpx.AsyncClient) -> None:
    for content, said in (
        (b"", "is empty"),
        (b"PK\x03\x04broken", "is no workbook"),
        (b"a,b\n1,2\n", "expected the names of the columns"),
        (b"path,views\n", "holds no line"),
        (b"\xff\xfe\x00", "UTF-16"),
    ):
        page = await upload(client, content)
        assert (content, page.status_code) == (content, 400)
        assert said in page.text
    none = {"file": ("", b"", "application/octet-stream")}
    page = await client.post(f"{PAGE}/file", files=none, headers=ADMIN)
    assert "none was chosen" in page.text
    for kept in ("", "%%%", base64.urlsafe_b64encode(b"no zlib").decode()):
        sent = f'<input type="hidden" name="content" value="{kept}">'
        assert (await enter_file(client, sent)).status_code == 400
    bomb = base64.urlsafe_b64encode(zlib.compress(b" " * 20_000_000)).decode()
    refused = await enter_file(client, f'<input type="hidden" name="content" value="{bomb}">')
    assert refused.status_code == 400
    plain = {"Content-Type": "multipart/form-data"}
    assert (await client.post(f"{PAGE}/file", headers={**ADMIN, **plain})).status_code == 400


async def test_a_file_that_is_too_large_is_refused_and_a_stranger_s_is_not_read(
    client: httpx.AsyncClient,
) -> None:
    large = {"file": ("a.csv", b"x" * 9_000_001, "text/csv")}
    for headers, status in ((ADMIN, 413), ({"Accept": "application/json"}, 401)):
        answer = await client.post(f"{PAGE}/file", files=large, headers=headers)
        assert answer.status_code == status
    # As bytes that no compression makes smaller, a workbook would not fit into its preview.
    noise = b"PK\x03\x04" + random.Random(1).randbytes(7_000_000)
    page = await upload(client, noise)
    assert "too large for this page" in page.text
