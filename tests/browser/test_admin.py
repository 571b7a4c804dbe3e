"""A person runs a portal: from the first sign-in to a colleague who may only look."""

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.admin import ADMIN, Desk, first_password
from tests.servers.up import BROWSER, COUNTED_SECONDS, Up

SITE = "caolanh"


@pytest.fixture(scope="module")
def owner(browser: Browser, up: Up) -> Iterator[Desk]:
    desk = Desk(browser, up.url)
    page = desk.sign_in(ADMIN, first_password(up))
    expect(page.get_by_role("heading", name="Trang web", exact=True)).to_be_visible()
    yield desk
    desk.close()


def view(up: Up, path: str, address: str) -> None:
    """Look at a page of the site; a new one is known to ingest within seconds."""
    deadline = time.monotonic() + COUNTED_SECONDS
    while True:
        answer = up.http.post(
            "/api/event",
            json={"n": "pageview", "d": SITE, "u": f"https://caolanh.example{path}"},
            headers={"X-Forwarded-For": address},
        )
        assert answer.status_code == 202
        dropped = answer.headers.get("X-Luot-Dropped")
        if dropped is None:
            return
        assert dropped == "unknown_site"
        assert time.monotonic() < deadline, "ingest does not know the new site"
        time.sleep(0.1)


def counted(up: Up, total: int) -> None:
    """Wait until so many views of the site are counted."""
    deadline = time.monotonic() + COUNTED_SECONDS
    query = {"metric": "views"}
    while (found := up.http.get(f"/api/counter/{SITE}", params=query).json()["total"]) != total:
        assert time.monotonic() < deadline, f"the total is {found}, expected {total}"
        time.sleep(0.05)


def test_a_stranger_is_led_to_the_sign_in_and_back(browser: Browser, up: Up) -> None:
    desk = Desk(browser, up.url)
    page = desk.open("/admin/users?lang=en")
    assert page.url == f"{up.url}/admin/sign-in?next=/admin/users%3Flang%3Den"
    page.fill("[name=name]", ADMIN)
    page.fill("[name=password]", "not the password")
    page.click("button.main")
    expect(page.get_by_role("alert")).to_contain_text("không đúng")
    page.fill("[name=password]", first_password(up))
    page.click("button.main")
    expect(page.get_by_role("heading", name="Users", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"{up.url}/admin/users")
    assert "/admin/sign-in" in page.url
    # The browser logs the refused password itself.
    desk.wrong = [said for said in desk.wrong if "401" not in said]
    desk.close()


def test_a_new_site_waits_for_its_first_view_and_shows_it_by_itself(owner: Desk, up: Up) -> None:
    page = owner.open("/admin/new-site")
    page.get_by_label("Tên", exact=True).fill("Thành phố Cao Lãnh")
    expect(page.get_by_label("Mã trang web")).to_have_value("thanh-pho-cao-lanh")
    page.get_by_label("Mã trang web").fill(SITE)
    page.get_by_label("Tên miền").fill("caolanh.example")
    page.get_by_role("button", name="Thêm trang web").click()

    expect(page.get_by_role("status")).to_contain_text("Đang chờ lượt xem đầu tiên")
    expect(page.locator("[data-ingest]")).to_have_text(
        "Ingest đã biết trang web này và đang nhận lượt xem."
    )
    script = page.locator(".code code").first.inner_text()
    assert script == f'<script async src="{up.url}/counter.js" data-site="{SITE}"></script>'

    view(up, "/", "192.0.2.1")
    # The page asks by itself, and loads again when there is a view.
    tile = page.get_by_role("link", name="Lượt xem 1")
    expect(tile).to_be_visible()
    expect(page.locator("[data-online]")).to_have_text("1 đang truy cập")
    view(up, "/tin-tuc", "192.0.2.2")
    expect(page.locator("[data-online]")).to_have_text("2 đang truy cập")


def test_a_click_filters_and_the_csv_has_what_is_shown(owner: Desk, up: Up) -> None:
    for number in (3, 4):
        view(up, "/tin-tuc", f"192.0.2.{number}")
    counted(up, 4)
    page = owner.open(f"/admin/sites/{SITE}")
    expect(page.get_by_role("link", name="Lượt xem 4")).to_be_visible()
    page.locator("#page").get_by_role("link", name="/tin-tuc").click()

    chip = page.get_by_role("link", name="Bỏ lọc Trang: /tin-tuc")
    expect(chip).to_be_visible()
    expect(page.get_by_role("link", name="Lượt xem 3")).to_be_visible()
    expect(page.locator("#page tbody tr")).to_have_count(1)
    assert "filters=event:page==/tin-tuc" in page.url, "the filter is in the address"

    with page.expect_download() as download:
        page.locator("#page").get_by_role("link", name="Tải CSV").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"Trang": "/tin-tuc", "Lượt xem": "3", "Lượt truy cập": "3", "Khách truy cập": "3"}
    ]
    chip.click()
    expect(page.get_by_role("link", name="Lượt xem 4")).to_be_visible()


def test_settings_say_what_another_time_zone_does_before_it_is_saved(owner: Desk, up: Up) -> None:
    page = owner.open(f"/admin/sites/{SITE}/settings")
    page.get_by_label("Múi giờ").fill("Asia/Tokyo")
    page.get_by_role("button", name="Lưu thay đổi").click()
    told = page.get_by_role("alert")
    expect(told).to_contain_text("Asia/Tokyo có hiệu lực từ")
    expect(told).to_contain_text("Không con số nào giảm")
    expect(told).to_contain_text("ngày kế tiếp có 24 giờ")
    elsewhere = page.context.new_page()
    elsewhere.goto(f"{up.url}/admin/sites/{SITE}/settings")
    expect(elsewhere.get_by_label("Múi giờ")).to_have_value("Asia/Ho_Chi_Minh")
    elsewhere.close()
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")
    expect(page.get_by_label("Múi giờ")).to_have_value("Asia/Tokyo")
    expect(page.get_by_text("cho đến lúc ấy vẫn là Asia/Ho_Chi_Minh")).to_be_visible()
    page.get_by_label("Múi giờ").fill("Asia/Ho_Chi_Minh")
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")


def test_settings_show_the_block_as_it_will_look_and_keep_it(owner: Desk, up: Up) -> None:
    page = owner.open(f"/admin/sites/{SITE}/settings")
    preview = page.frame_locator("[data-preview]")
    expect(preview.get_by_role("main")).to_contain_text("Hôm nay")
    page.get_by_label("Số chữ số").fill("9")
    page.get_by_label("Tuần này", exact=True).uncheck()
    page.get_by_role("button", name="Lên: Hôm qua").click()
    expect(preview.get_by_role("img")).to_have_accessible_name("Tổng lượt truy cập: 4")
    expect(preview.locator("li").nth(1)).to_contain_text("Hôm qua")
    expect(preview.get_by_text("Tuần này")).to_have_count(0)
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")

    display = page.request.get(f"{up.url}/api/admin/sites/{SITE}").json()["display"]
    assert display["digits"] == 9
    assert display["lines"][:3] == ["online", "yesterday", "today"]
    assert not {"preset", "theme"} & {*display}, "what is left at its default is not set"

    page.get_by_label("Giao diện").select_option("Sáng")
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_label("Giao diện")).to_have_value("light")
    display = page.request.get(f"{up.url}/api/admin/sites/{SITE}").json()["display"]
    assert display["theme"] == "light", "an element that nobody chose a theme for is as its page"

    page.get_by_label("Múi giờ").fill("Asia/Atlantis")
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_role("alert")).to_contain_text("Múi giờ")
    expect(page.get_by_role("alert")).to_contain_text("Asia/Atlantis")
    expect(page.get_by_label("Múi giờ")).to_have_value("Asia/Atlantis")
    owner.wrong = [said for said in owner.wrong if "400" not in said]


def test_a_viewer_sees_their_sites_and_can_change_nothing(
    browser: Browser, owner: Desk, up: Up
) -> None:
    page = owner.open("/admin/users")
    page.get_by_label("Tên đăng nhập").fill("nga")
    page.get_by_label("Mật khẩu").fill("một mật khẩu dài")
    page.get_by_label("Thành phố Cao Lãnh").check()
    page.get_by_role("button", name="Thêm người dùng").click()
    expect(page.get_by_role("row", name="nga Người xem")).to_be_visible()

    desk = Desk(browser, up.url)
    page = desk.sign_in("nga", "một mật khẩu dài")
    expect(page.locator(".many tbody:not(.sum) tr")).to_have_count(1)
    page.get_by_role("link", name="Thành phố Cao Lãnh").click()
    expect(page.get_by_role("link", name="Lượt xem 4")).to_be_visible()
    for name in ("Cài đặt", "Người dùng", "Khóa API", "Nhật ký"):
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    forbidden = {
        f"/admin/sites/{SITE}/settings": 403,
        "/admin/new-site": 403,
        "/admin/users": 403,
        "/admin/tokens": 403,
        "/admin/audit": 403,
        "/admin/sites/demo": 404,
    }
    for path, status in forbidden.items():
        answer = page.goto(up.url + path)
        assert (path, answer and answer.status) == (path, status)
        expect(page.get_by_role("heading", level=1)).to_be_visible()

    (cookie,) = (kept for kept in desk.context.cookies() if kept["name"] == "luot")
    as_viewer = {"Cookie": f"luot={cookie['value']}"}
    with httpx.Client(base_url=up.url, headers={"User-Agent": BROWSER, **as_viewer}) as client:
        csrf = client.get("/api/admin/whoami").json()["csrf"]
        proved = {"X-CSRF-Token": csrf}
        renamed = {"name": "mine"}
        patched = client.patch(f"/api/admin/sites/{SITE}", json=renamed, headers=proved)
        assert patched.status_code == 403
        form = {"csrf": csrf, "name": "mine", "timezone": "Asia/Tokyo"}
        assert client.post(f"/admin/sites/{SITE}/settings", data=form).status_code == 403
        assert client.post(f"/admin/sites/{SITE}/remove", data=form).status_code == 403
        # Their own password they may change, but nobody else may for them.
        mine = {"current": "một mật khẩu dài", "password": "một mật khẩu khác"}
        assert client.post("/admin/account", data=mine).status_code == 403
        assert client.post("/admin/account", data={**mine, "csrf": csrf}).status_code == 303
        assert client.get("/api/admin/whoami").status_code == 401, "every session is over"
    desk.wrong = [said for said in desk.wrong if "403" not in said and "404" not in said]
    desk.close()


def test_a_revoked_token_stops_working_at_once(owner: Desk, up: Up) -> None:
    page = owner.open("/admin/tokens")
    page.get_by_label("Dùng cho").fill("báo cáo")
    page.get_by_label("Tất cả trang web").check()
    page.get_by_role("button", name="Tạo khóa API").click()
    token = page.locator("#secret code").inner_text()
    path = f"/api/v1/stats/aggregate?site_id={SITE}&metrics=pageviews"
    headers = {"Authorization": f"Bearer {token}"}
    assert up.http.get(path, headers=headers).status_code == 200

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Thu hồi: báo cáo").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")
    assert up.http.get(path, headers=headers).status_code == 401
    expect(page.locator("#secret")).to_have_count(0)


def test_the_audit_log_tells_who_did_all_this(owner: Desk) -> None:
    page = owner.open("/admin/audit")
    rows = page.locator(".audit tbody th").all_inner_texts()
    actions = [action.split("\n")[0] for action in rows]
    others = {"Đăng nhập", "Từ chối đăng nhập", "Tải CSV"}
    assert others <= set(actions)
    assert [action for action in actions if action not in others] == [
        "Thu hồi khóa API",
        "Tạo khóa API",
        "Đặt mật khẩu",
        "Thêm người dùng",
        *["Đổi cài đặt"] * 4,
        "Thêm trang web",
    ]
    assert "một mật khẩu" not in page.content()
    page.get_by_label("Thao tác").select_option("Thêm trang web")
    page.get_by_role("button", name="Áp dụng").click()
    expect(page.locator(".audit tbody th")).to_have_count(1)


def test_the_wording_of_another_counter_brings_its_lines(owner: Desk, up: Up) -> None:
    site = f"{up.url}/api/admin/sites/{SITE}"
    token = {"Authorization": f"Bearer {(up.data / 'token').read_text().strip()}"}
    assert httpx.patch(site, json={"display": None}, headers=token).status_code == 200
    page = owner.open(f"/admin/sites/{SITE}/settings")
    preview = page.frame_locator("[data-preview]")

    def save() -> dict[str, Any]:
        page.get_by_role("button", name="Lưu thay đổi").click()
        expect(page.get_by_role("status")).to_have_text("Đã lưu.")
        display: dict[str, Any] = page.request.get(site).json().get("display") or {}
        return display

    page.get_by_label("Dòng và nhãn theo").select_option("nukeviet")
    expect(preview.get_by_role("main")).to_contain_text("Tháng hiện tại")
    expect(preview.get_by_text("Hôm qua")).to_have_count(0)
    assert "lines" not in (display := save())
    assert display["wording"] == "nukeviet"
    expect(page.get_by_label("Hôm qua", exact=True)).not_to_be_checked()
    page.get_by_label("Số chữ số").fill("7")
    expect(preview.get_by_role("img")).to_be_visible()
    assert "lines" not in save(), "the total is on top, not in the list as well"
    page.get_by_label("Hôm qua", exact=True).check()
    assert "yesterday" in save()["lines"], "who ticks a line chooses all"
    page.get_by_label("Ngôn ngữ").select_option("en")
    expect(preview.get_by_role("main")).to_contain_text("Visitor statistics")


def test_what_was_typed_of_the_block_survives_a_mistake_and_a_question(owner: Desk, up: Up) -> None:
    page = owner.open(f"/admin/sites/{SITE}/settings")
    preview = page.frame_locator("[data-preview]")
    page.get_by_label("Tiêu đề", exact=True).fill("Số người xem")
    page.get_by_label("Chữ sau con số").fill("lượt")
    page.get_by_label("Biểu tượng").select_option("tile")
    page.get_by_label("Chỉ số hiển thị").select_option("Lượt xem")
    page.get_by_label("Tháng này", exact=True).uncheck()
    page.get_by_label("Nhãn khác: Hôm nay").fill("Trong ngày")
    saved = page.request.get(f"{up.url}/api/admin/sites/{SITE}").json()

    def expect_all() -> None:
        expect(preview.get_by_role("main")).to_contain_text("Số người xem")
        expect(preview.get_by_role("main")).to_contain_text("Trong ngày")
        expect(preview.get_by_role("main")).to_contain_text("4 lượt")
        expect(preview.locator("li svg").first).to_be_visible()
        expect(page.get_by_label("Tiêu đề", exact=True)).to_have_value("Số người xem")
        expect(page.get_by_label("Chữ sau con số")).to_have_value("lượt")
        expect(page.get_by_label("Biểu tượng")).to_have_value("tile")
        expect(page.get_by_label("Chỉ số hiển thị")).to_have_value("views")
        expect(page.get_by_label("Tháng này", exact=True)).not_to_be_checked()
        expect(page.get_by_label("Nhãn khác: Hôm nay")).to_have_value("Trong ngày")

    expect_all()
    page.get_by_label("Múi giờ").fill("Asia/Atlantis")
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_role("alert")).to_contain_text("Asia/Atlantis")
    expect_all()
    page.get_by_label("Múi giờ").fill("Asia/Seoul")
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_role("alert")).to_contain_text("Asia/Seoul có hiệu lực từ")
    expect_all()
    assert page.request.get(f"{up.url}/api/admin/sites/{SITE}").json() == saved
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")
    expect_all()
    page.get_by_label("Nhãn khác: Hôm nay").fill("")
    expect(preview.get_by_role("main")).to_contain_text("Hôm nay")
    page.get_by_label("Múi giờ").fill("Asia/Ho_Chi_Minh")
    page.get_by_role("button", name="Lưu thay đổi").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")
    owner.wrong = [said for said in owner.wrong if "400" not in said]


def test_a_public_dashboard_is_read_by_anybody_and_only_then(
    browser: Browser, owner: Desk, up: Up
) -> None:
    desk = Desk(browser, up.url, locale="en-GB")
    page = desk.open(f"/admin/sites/{SITE}")
    assert "/admin/sign-in" in page.url
    settings = owner.open(f"/admin/sites/{SITE}/settings")
    settings.get_by_label("Công khai thống kê này").check()
    settings.get_by_role("button", name="Lưu thay đổi").click()
    expect(settings.get_by_role("status")).to_have_text("Đã lưu.")

    page = desk.open(f"/admin/sites/{SITE}")
    expect(page.get_by_role("link", name="Views 4")).to_be_visible()
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)
    page.locator("#page").get_by_role("link", name="/tin-tuc").click()
    expect(page.get_by_role("link", name="Views 3")).to_be_visible()
    desk.open(f"/admin/sites/{SITE}/settings")
    assert "/admin/sign-in" in page.url
    desk.close()
