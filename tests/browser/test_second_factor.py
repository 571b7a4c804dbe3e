"""A person turns on the second factor, signs in with it elsewhere, and ends a session."""

import time
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.admin import ADMIN, PHONE, Desk, first_password, problems
from tests.servers.up import Up

STEP_SECONDS = 30


@pytest.fixture(scope="module")
def owner(browser: Browser, up: Up) -> Iterator[Desk]:
    desk = Desk(browser, up.url)
    page = desk.sign_in(ADMIN, first_password(up))
    expect(page.get_by_role("heading", name="Trang web", exact=True)).to_be_visible()
    yield desk
    # The browser logs refusals itself; each is made on purpose.
    desk.wrong = [said for said in desk.wrong if "400" not in said and "401" not in said]
    desk.close()


def code_of(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(time.time()) + steps * STEP_SECONDS)


def type_code(page: Page, code: str) -> None:
    page.get_by_label("Mã xác thực").fill(code)
    page.get_by_role("button", name="Đăng nhập").click()


def test_turning_it_on_signing_in_with_it_and_losing_the_telephone(
    browser: Browser, owner: Desk, up: Up
) -> None:
    page = owner.open("/admin/account")
    expect(page.get_by_text("Chưa bật: chỉ cần mật khẩu")).to_be_visible()
    page.get_by_role("link", name="Bật", exact=True).click()
    expect(page.get_by_role("img", name="Mã QR chứa khóa bí mật")).to_be_visible()
    assert problems(page) == []
    drawn = page.locator("svg.qr").bounding_box()
    assert drawn is not None
    assert drawn["width"] > 150
    assert drawn["width"] == pytest.approx(drawn["height"], abs=1)
    secret = page.locator("[data-secret]").inner_text().replace(" ", "")
    link = page.get_by_role("link", name="Ứng dụng ở ngay trên thiết bị này")
    parsed = pyotp.parse_uri(link.get_attribute("href") or "")
    assert (parsed.secret, parsed.name) == (secret, ADMIN)

    def turn_on(code: str) -> None:
        page.get_by_label("Mã xác thực").fill(code)
        page.get_by_label("Mật khẩu hiện tại").fill(first_password(up))
        page.get_by_role("button", name="Bật", exact=True).click()

    turn_on("000000")
    expect(page.get_by_role("alert")).to_contain_text("không phải mã mà ứng dụng đang hiển thị")
    assert page.locator("[data-secret]").inner_text().replace(" ", "") == secret
    turn_on(code_of(secret))
    expect(page.get_by_role("status")).to_contain_text("Đã bật xác thực hai bước")
    assert problems(page) == []
    recovery = page.locator("#recovery code").inner_text().split()
    assert len(recovery) == 10
    page.get_by_role("link", name="Tôi đã lưu lại").click()
    expect(page.get_by_text("Còn 10 mã khôi phục.")).to_be_visible()
    assert problems(page) == []

    phone = Desk(browser, up.url, viewport=PHONE)
    there = phone.sign_in(ADMIN, first_password(up))
    expect(there.get_by_label("Mã xác thực")).to_be_focused()
    assert problems(there) == []
    type_code(there, "000000")
    expect(there.get_by_role("alert")).to_have_text("Mã này không đúng hoặc đã được dùng.")
    type_code(there, code_of(secret, 1))
    expect(there.get_by_role("heading", name="Trang web", exact=True)).to_be_visible()
    kept = {cookie.get("name"): cookie for cookie in phone.context.cookies()}
    assert kept["luot_known"].get("httpOnly")

    laptop = Desk(browser, up.url)
    lost = laptop.sign_in(ADMIN, first_password(up))
    type_code(lost, recovery[0].upper())
    expect(lost.get_by_role("heading", name="Trang web", exact=True)).to_be_visible()
    lost.goto(f"{up.url}/admin/account")
    expect(lost.get_by_text("Còn 9 mã khôi phục.")).to_be_visible()
    expect(lost.get_by_text("trước phiên này: Firefox · Linux.")).to_be_visible()
    laptop.close()
    phone.wrong = [said for said in phone.wrong if "401" not in said]
    phone.close()


def test_a_session_elsewhere_is_ended_and_the_one_here_stays(
    browser: Browser, owner: Desk, up: Up
) -> None:
    page = owner.open("/admin/account")
    rows = page.locator("table tbody tr")
    expect(rows).to_have_count(3)
    expect(page.get_by_text("phiên này", exact=True)).to_have_count(1)
    rows.filter(has=page.get_by_role("button")).first.get_by_role("button").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Kết thúc mọi phiên khác").click()
    expect(rows).to_have_count(1)
    assert problems(page) == []


def test_turning_it_off_takes_the_password(owner: Desk, up: Up) -> None:
    page = owner.open("/admin/second-factor")
    assert problems(page) == []
    form = page.locator("form", has=page.get_by_role("button", name="Tắt"))
    form.get_by_label("Mật khẩu hiện tại").fill("không phải")
    form.get_by_role("button", name="Tắt").click()
    expect(page.get_by_role("alert")).to_contain_text("Không đúng")
    form.get_by_label("Mật khẩu hiện tại").fill(first_password(up))
    form.get_by_role("button", name="Tắt").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")
    expect(page.get_by_role("img", name="Mã QR chứa khóa bí mật")).to_be_visible()


def test_who_is_asked_for_it_is_led_there_and_on(browser: Browser, owner: Desk, up: Up) -> None:
    page = owner.open("/admin/users")
    page.get_by_label("Tên đăng nhập").fill("thu")
    page.get_by_label("Mật khẩu").fill("matkhau123")
    page.get_by_label("Tất cả trang web").check()
    page.get_by_label("Bắt buộc xác thực hai bước").check()
    page.get_by_role("button", name="Thêm người dùng").click()
    expect(page.get_by_role("alert")).to_contain_text("mật khẩu phổ biến")
    page.get_by_label("Mật khẩu").fill("bốn từ chẳng hợp nhau")
    page.get_by_role("button", name="Thêm người dùng").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")

    desk = Desk(browser, up.url)
    own = desk.sign_in("thu", "bốn từ chẳng hợp nhau")
    expect(own.get_by_text("Hãy bật để tiếp tục")).to_be_visible()
    assert own.url == f"{up.url}/admin/second-factor"
    assert problems(own) == []
    secret = own.locator("[data-secret]").inner_text().replace(" ", "")
    own.get_by_label("Mã xác thực").fill(code_of(secret))
    own.get_by_label("Mật khẩu hiện tại").fill("bốn từ chẳng hợp nhau")
    own.get_by_role("button", name="Bật", exact=True).click()
    own.get_by_role("link", name="Tôi đã lưu lại").click()
    expect(own.get_by_role("heading", name="Tài khoản")).to_be_visible()
    desk.close()

    page.goto(f"{up.url}/admin/users/thu")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Đặt lại xác thực hai bước").click()
    expect(page.get_by_role("status")).to_have_text("Đã lưu.")
