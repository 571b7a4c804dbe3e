"""The table of sites: for programs, on pages, as files, of groups, and of groups for anybody."""

import csv
import io
from typing import Any

import httpx
import openpyxl
import pytest
import pytest_asyncio

from services.api.stats.grammar.measures import Measure
from services.api.stats.grammar.measures import change as change_of
from services.api.stats.many import queries_many
from services.api.stats.periods.spans import Span
from services.model.calendar import EPOCH
from services.store.counts import counters, hits
from services.store.interface import Store, StoreUnavailableError
from tests.integration.api.people import ADMIN, add_user, browser
from tests.integration.api.taken_back import TODAY, at, count, take_back, traffic, view
from tests.integration.api.test_merged import add, done, later, views
from tests.integration.api.test_traces import written
from tests.integration.api.world import EITHER_STORE, Clock, write_balance

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

TABLE = "/api/v1/table"
MEASURES = ("pageviews", "visits", "visitors")
DAY = {"period": "day", "date": "2024-01-03", "compare": "previous_period"}
HTML = {**ADMIN, "Accept": "text/html", "Accept-Language": "vi"}


async def table(client: httpx.AsyncClient, **query: str) -> Any:
    answer = await client.get(TABLE, params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def page(client: httpx.AsyncClient, path: str, **query: str) -> str:
    answer = await client.get(path, params=query, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


async def group(client: httpx.AsyncClient, slug: str, **fields: object) -> None:
    answer = await client.post("/api/admin/groups", json={"slug": slug, **fields}, headers=ADMIN)
    assert answer.status_code == 201, answer.text


@pytest_asyncio.fixture(loop_scope="module")
async def five(client: httpx.AsyncClient, store: Store, clock: Clock) -> None:
    """Five sites: one with corrections and balances, one merged into another, one never counted."""
    for slug, name in (
        ("xa-a", "Xã An Bình"),
        ("tinh", "Tỉnh Đồng Tháp"),
        ("moi", "Xã mới"),
        ("khong", "Không có gì"),
    ):
        await add(client, slug, name=name, public_dashboard=slug in ("tinh", "moi"))
    await count(
        store,
        [
            *traffic(7),
            *(view("/spam", at("08:30") + number, 9_000 + number) for number in range(5)),
            *views("xa-a", "/", "/", "/a"),
            *views("tinh", "/", "/b", begin=9),
            *views("moi", "/"),
        ],
    )
    await take_back(client, filters="event:page==/spam")
    await write_balance(store, "mytho", "old", "day", TODAY, 40)
    await write_balance(store, "tinh", "all", "total", EPOCH, 100)
    await done(client, "POST", "/xa-a/merge", {"into": "tinh"})
    later(clock)


async def test_a_row_has_the_numbers_of_its_site_and_the_sums_count_each_view_once(
    client: httpx.AsyncClient, five: None
) -> None:
    for opening in ("exclude", "include", "only"):
        found = await table(client, **DAY, opening=opening)
        rows = {row["site"]: row for row in found["sites"]}
        assert set(rows) == {"mytho", "xa-a", "tinh", "moi", "khong"}
        for site, row in rows.items():
            query = {"site_id": site, **DAY, "opening": opening, "metrics": ",".join(MEASURES)}
            answer = await client.get("/api/v1/stats/aggregate", params=query, headers=ADMIN)
            results = answer.json()["results"]
            assert {of: row["now"][of] for of in MEASURES} == {
                of: results[of]["value"] for of in MEASURES
            }, site
            assert {of: row["change"][of] for of in MEASURES} == {
                of: results[of]["change"] for of in MEASURES
            }, site
        for of in MEASURES:
            # What was counted for xa-a is in the row of tinh, too.
            each = sum(row["now"][of] for row in rows.values())
            assert found["sum"]["now"][of] == each - rows["xa-a"]["now"][of]
    found = await table(client, **DAY)
    moi = next(row for row in found["sites"] if row["site"] == "moi")
    # It was counted for the first time on that day: nothing to compare with, and no +100 %.
    assert (moi["before"], moi["change"]["pageviews"], moi["counted_since"]) == (
        None,
        None,
        "2024-01-03",
    )
    assert set(found["unknown_before"]) == {"moi", "tinh", "xa-a"}
    assert found["sum"]["change"] == dict.fromkeys(MEASURES)


async def test_the_table_is_searched_without_diacritics_and_sorted_by_every_column(
    client: httpx.AsyncClient, five: None
) -> None:
    async def slugs(**query: str) -> list[str]:
        return [row["site"] for row in (await table(client, **DAY, **query))["sites"]]

    assert await slugs(search="dong thap") == ["tinh"]
    assert await slugs(search="XÃ an") == ["xa-a"]
    assert (await table(client, **DAY, search="moi"))["sites"][0]["rank"] == 4
    assert await slugs() == ["mytho", "tinh", "xa-a", "moi", "khong"]
    assert await slugs(order="asc") == ["khong", "moi", "xa-a", "tinh", "mytho"]
    assert await slugs(sort="name") == ["khong", "mytho", "tinh", "xa-a", "moi"]
    # What has no change is last in either order.
    assert (await slugs(sort="change"))[0] == "mytho"
    assert (await slugs(sort="change", order="asc"))[0] == "mytho"
    for sort in ("visits", "visitors", "online", "silent"):
        assert len(await slugs(sort=sort)) == 5
    for query, field in (
        ({"sort": "size"}, "sort"),
        ({"order": "up"}, "order"),
        ({"period": "week"}, "period"),
        ({"date": "soon"}, "date"),
        ({"compare": "never"}, "compare"),
        ({"measure": "bots"}, "measure"),
        ({"opening": "maybe"}, "opening"),
    ):
        answer = await client.get(TABLE, params=query, headers=ADMIN)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
        assert (await client.get("/admin", params=query, headers=HTML)).status_code == 400
    assert (await client.get(TABLE, params={"group": "no"}, headers=ADMIN)).status_code == 404


async def test_all_time_is_since_the_first_day_of_any_site(
    client: httpx.AsyncClient, five: None
) -> None:
    found = await table(client, period="all", compare="previous_period")
    first = min(row["counted_since"] for row in found["sites"] if row["counted_since"])
    custom = await table(client, period="custom", date=f"{first},2024-01-03", compare="none")
    assert found["sum"] == custom["sum"]
    assert [row["now"] for row in found["sites"]] == [row["now"] for row in custom["sites"]]
    shown = await page(client, "/admin", period="all")
    assert 'aria-current="true">Tất cả</a>' in shown
    assert "Không so sánh" in shown
    site = await page(client, "/admin/sites/mytho", period="all")
    assert 'aria-current="true">Tất cả</a>' in site


async def test_page_csv_and_workbook_say_the_same_as_the_api(
    client: httpx.AsyncClient, five: None
) -> None:
    await group(client, "huyen", name="Huyện", sites=["tinh", "xa-a"])
    await group(client, "vung", name="Vùng", sites=["mytho"])
    changed = await client.patch("/api/admin/groups/huyen", json={"parent": "vung"}, headers=ADMIN)
    assert changed.status_code == 200
    found = await table(client, **DAY, group="vung")
    total = found["sum"]["now"]["pageviews"]
    for path, query in (("/admin", {"group": "vung"}), ("/admin/groups/vung", {})):
        shown = await page(client, path, **DAY, **query)
        assert f">{total}</td>" in shown.replace(".", "")
        assert "một người xem hai trang web được tính là hai" in shown
    assert "Huyện" in shown
    assert "Vùng › Huyện" in await page(client, "/admin/groups", **DAY)
    files = "/admin/groups/vung/sites."
    answer = await client.get(f"{files}csv", params=DAY | {"lang": "en"}, headers=ADMIN)
    nothing = {"lang": "en", "search": "zzz"}
    none = await client.get(f"{files}csv", params=DAY | nothing, headers=ADMIN)
    assert none.text.splitlines() == answer.text.splitlines()[:1], "the headings, and no row"
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert [(row["site"], int(row["pageviews"])) for row in rows] == [
        (row["site"], row["now"]["pageviews"]) for row in found["sites"]
    ]
    answer = await client.get(f"{files}xlsx", params=DAY, headers=ADMIN)
    cells = list(openpyxl.load_workbook(io.BytesIO(answer.content)).active.values)
    assert [row[3] for row in cells[3:7]] == [
        *(row["now"]["pageviews"] for row in found["sites"]),
        total,
    ]
    assert (await client.get(f"{files}pdf", headers=ADMIN)).status_code == 404
    assert [one["subject"] for one in await written(client, "export", 1)] == ["vung"]
    # What was never counted has no number, in files as on the page.
    await group(client, "rong", name="Rỗng", sites=["khong"])
    files = "/admin/groups/rong/sites."
    answer = await client.get(f"{files}csv", params=DAY | {"lang": "en"}, headers=ADMIN)
    (row,) = csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff")))
    assert (row["site"], [row[of] for of in MEASURES]) == ("khong", ["", "", ""])
    answer = await client.get(f"{files}xlsx", params=DAY, headers=ADMIN)
    cells = list(openpyxl.load_workbook(io.BytesIO(answer.content)).active.values)
    assert [row[3] for row in cells[3:5]] == [None, None]


async def test_a_sum_has_the_change_of_the_sites_that_have_both_periods(
    client: httpx.AsyncClient, five: None
) -> None:
    await group(client, "vung", name="Vùng", sites=["mytho", "moi", "tinh"])
    found = await table(client, **DAY, group="vung")
    rows = {row["site"]: row for row in found["sites"]}
    change = rows["mytho"]["change"]
    left = len(found["unknown_before"])
    assert (left, found["sum"]["change"]["pageviews"]) == (2, None)
    sign = "↑" if change["pageviews"] > 0 else "↓"
    shown = await page(client, "/admin/groups/vung", **DAY)
    total = shown.partition('class="sum"')[2].partition("</tbody>")[0]
    assert f"{sign} {abs(change['pageviews']):.0f}%" in total
    assert "ở 1/3 trang web" in total
    assert "đếm từ" not in total, "of no single site"
    answer = await client.get("/admin/groups/vung/sites.xlsx", params=DAY, headers=HTML)
    (both,) = [
        row
        for row in openpyxl.load_workbook(io.BytesIO(answer.content)).active.values
        if row[1] and "có số liệu cả hai kỳ" in str(row[1])
    ]
    was = rows["mytho"]["before"]["pageviews"]
    assert both[3:6] == (rows["mytho"]["now"]["pageviews"], was, change["pageviews"] / 100)
    day = {"period": "custom", "date": "2024-01-03,2024-01-03"}
    said = await client.get("/api/v1/groups/vung/report", params=day, headers=ADMIN)
    (before, *_) = said.json()["compared"]
    assert (before["against"], before["sites"], before["left_out"]) == ("before", 1, 2)
    # A report of a day that is not over is compared with whole days, as it says.
    asked = {"site_id": "mytho", **DAY, "date": "2024-01-02", "metrics": ",".join(MEASURES)}
    answer = await client.get("/api/v1/stats/aggregate", params=asked, headers=ADMIN)
    whole = {of: answer.json()["results"][of]["value"] for of in MEASURES}
    assert before["changes"] == {
        of: change_of(Measure(of), rows["mytho"]["now"][of], whole[of], 2) for of in MEASURES
    }
    printed = await page(client, "/admin/groups/vung/report", **day)
    assert "So với kỳ trước, ở 1 trang web có số liệu cả hai kỳ (2 trang web không tính)" in printed


async def test_people_see_their_own_sites_and_the_groups_of_these(
    client: httpx.AsyncClient, five: None
) -> None:
    await group(client, "huyen", sites=["tinh", "mytho"])
    await group(client, "khac", sites=["tinh"])
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        lan.headers.update({"Accept": "text/html", "Accept-Language": "en"})
        seen = (await lan.get(TABLE)).json()
        assert [row["site"] for row in seen["sites"]] == ["mytho"]
        assert seen["sum"]["now"] == seen["sites"][0]["now"]
        of_group = (await lan.get("/admin/groups/huyen")).text
        assert "1 site of this group is not given to you" in of_group
        assert "Đồng Tháp" not in of_group
        listed = (await lan.get("/admin/groups")).text
        assert "/admin/groups/huyen" in listed
        assert "/admin/groups/khac" not in listed
        for path in ("/admin/groups/khac", "/admin/groups/khac/sites.csv", "/admin?group=khac"):
            assert (await lan.get(path)).status_code == 404, path
        assert (await lan.get("/admin/groups/huyen/edit")).status_code == 403


async def test_a_group_may_have_any_slug_and_no_site_that_of_their_addresses(
    client: httpx.AsyncClient,
) -> None:
    for slug in ("online", "csv", "all", "groups"):
        new = {"slug": slug, "name": f"Nhóm {slug}", "public": True, "sites": ["mytho"]}
        made = await client.post("/api/admin/groups", json=new, headers=ADMIN)
        assert made.status_code == 201, made.text
        shown = await client.get(f"/public/groups/{slug}", params=DAY)
        assert f"Nhóm {slug}" in shown.text
        file = await client.get(f"/public/groups/{slug}/sites.csv", params=DAY)
        assert file.headers["content-type"].startswith("text/csv")
        await client.delete(f"/api/admin/groups/{slug}", headers=ADMIN)
    for path, body in (
        ("/api/admin/sites", {"slug": "groups"}),
        ("/api/admin/sites/mytho/rename", {"slug": "groups"}),
    ):
        refused = await client.post(path, json=body, headers=ADMIN)
        assert refused.status_code == 400
        assert "addresses of groups" in refused.json()["errors"]["slug"][0]
    page = await client.post(
        "/admin/new-site", data={"slug": "groups", "timezone": "UTC"}, headers=HTML
    )
    assert page.status_code == 400
    assert "là phần đầu địa chỉ của các nhóm" in page.text


async def test_anybody_sees_the_public_sites_of_a_public_group_and_nothing_else(
    client: httpx.AsyncClient, five: None
) -> None:
    await group(client, "huyen", name="Huyện", sites=["tinh", "mytho", "moi"])
    assert (await client.get("/public/groups/huyen")).status_code == 404
    changed = await client.patch("/api/admin/groups/huyen", json={"public": True}, headers=ADMIN)
    assert changed.json()["public"] is True
    shown = (await client.get("/public/groups/huyen", params=DAY | {"lang": "en"})).text
    assert "/public/tinh" in shown
    assert "mytho" not in shown
    assert "/admin/groups" not in shown
    answer = await client.get("/public/groups/huyen/sites.csv", params=DAY | {"lang": "en"})
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    # That of tinh has what xa-a counted, as its own public page has.
    assert [(row["site"], row["pageviews"]) for row in rows] == [("tinh", "5"), ("moi", "1")]
    assert "Sum of 2 sites" in shown
    assert ">6</td>" in shown


async def test_an_owner_makes_changes_and_removes_groups_by_forms(
    client: httpx.AsyncClient, five: None
) -> None:
    await add_user(client, "chu", "owner", ("*",))
    async with browser(client, "chu") as chu:
        csrf = {"csrf": chu.headers["X-CSRF-Token"]}
        chu.headers.update({"Accept": "text/html", "Accept-Language": "vi"})

        async def send(path: str, **fields: Any) -> httpx.Response:
            return await chu.post(path, data=csrf | fields)

        wrong = await send("/admin/new-group", slug="Có dấu", name="Tỉnh", sites="mytho")
        assert wrong.status_code == 400
        assert 'value="Tỉnh"' in wrong.text
        made = await send("/admin/new-group", slug="tinh", name="Tỉnh", sites=["mytho", "moi"])
        assert (made.status_code, made.headers["location"]) == (303, "/admin/groups/tinh")
        assert (await send("/admin/new-group", slug="xa", parent="tinh")).status_code == 303
        again = await send("/admin/new-group", slug="xa")
        assert (again.status_code, "đã có nhóm" in again.text) == (400, True)
        circle = await send("/admin/groups/tinh/edit", name="Tỉnh", parent="xa", sites="mytho")
        assert (circle.status_code, "trực thuộc nhóm này" in circle.text) == (400, True)
        settings = {"public": "on", "default_period": "report_month"}
        changed = await send("/admin/groups/tinh/edit", name="Tỉnh mới", sites="moi", **settings)
        assert changed.status_code == 303
        shown = (await chu.get("/admin/groups/tinh/edit")).text
        assert '<option value="report_month" selected>' in shown
        kept = (await client.get("/api/admin/groups/tinh", headers=ADMIN)).json()
        assert (kept["name"], kept["sites"], kept["public"]) == ("Tỉnh mới", ["moi"], True)
        assert kept["default_period"] == "report_month"
        held = await send("/admin/groups/tinh/remove")
        assert (held.status_code, "hãy chuyển hoặc xóa" in held.text) == (400, True)
        for slug in ("xa", "tinh"):
            assert (await send(f"/admin/groups/{slug}/remove")).status_code == 303
    assert (await client.get("/api/admin/groups", headers=ADMIN)).json() == {"groups": []}


async def test_sites_are_listed_while_their_numbers_cannot_be_read(
    client: httpx.AsyncClient, five: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr("services.api.stats.many.queries_many.sums", away)
    shown = await client.get("/admin", headers=HTML)
    assert shown.status_code == 503
    assert int(shown.headers["Retry-After"]) > 0
    assert "Tỉnh Đồng Tháp" in shown.text
    assert "Hiện chưa đọc được số liệu" in shown.text
    assert (await client.get(TABLE, headers=ADMIN)).status_code == 503


async def test_visitors_whom_several_sketches_of_a_day_have_seen_count_once(store: Store) -> None:
    """Each insert is a sketch of its own until ClickHouse merges them."""
    days, numbers = Span(20_000, 20_002), range(1, 41)
    names = ["hai-lan", "mot-lan"]
    for name, day, seen in (
        ("hai-lan", 20_000, numbers[:25]),
        ("hai-lan", 20_000, numbers[20:]),
        ("hai-lan", 20_001, numbers[:7]),
        ("mot-lan", 20_000, numbers[:9]),
    ):
        size = len(seen)
        columns: dict[str, list[Any]] = {"site": [name] * size, "day": [day] * size}
        await hits.count_visitors(store, columns | {"visitor": [*seen], "bot": [0] * size})
    counted = {(name, "day", day, ""): (90, 50, 1) for name in names for day in (20_000, 20_001)}
    await counters.write(store, counted)
    sums = await queries_many.sums(store, names, days, 1)
    assert {name: [of_day.visitors for of_day in sums[name]] for name in names} == {
        "hai-lan": [40, 7, 0],
        "mot-lan": [9, 0, 0],
    }
