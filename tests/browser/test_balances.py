"""An official moves a portal: the old numbers are typed in, and the portal's page goes on."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FilePayload, expect

from services.widget.snippet import PinnedScript, Snippet
from tests.browser.admin import PHONE, Desk, problems
from tests.browser.conftest import becomes
from tests.browser.portal import PORTAL, Portal
from tests.noon import zone_at_noon
from tests.servers.up import BROWSER, Up

PASSWORD = "một mật khẩu dài"
PAGE = "/admin/sites/huyen/balances"
OLD = {
    "Tổng lượt truy cập": "00008307145",
    "Hôm nay": "6325",
    "Hôm qua": "7097",
    "Tháng này": "119944",
    "Tháng trước": "108517",
    "Năm này": "119944",
    "Năm trước": "1845672",
}
LINES = ["today", "yesterday", "this_month", "last_month", "this_year", "last_year"]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up") / "data")
    token = (running.data / "token").read_text().strip()
    owner = {"Authorization": f"Bearer {token}"}
    display = {"digits": 11, "format": "plain", "lines": LINES}
    for slug, host in (("huyen", PORTAL), ("xa", "xa.example")):
        site = {"slug": slug, "hosts": [host], "timezone": zone_at_noon(), "display": display}
        assert running.http.post("/api/admin/sites", json=site, headers=owner).status_code == 201
    user = {"name": "nga", "password": PASSWORD, "role": "editor", "sites": ["huyen", "xa"]}
    assert running.http.post("/api/admin/users", json=user, headers=owner).status_code == 201
    yield running
    assert running.end() == 0


def lines_of(old: dict[str, str], more: int = 0) -> list[str]:
    """Return what the block shows of the old numbers, after so many visits more."""
    grows = ("Hôm nay", "Tháng này", "Năm này")
    return [
        f"{label}: {int(number) + (more if label in grows else 0)}"
        for label, number in old.items()
        if label != "Tổng lượt truy cập"
    ]


def test_seven_numbers_typed_into_the_form_go_on_with_the_next_visit_on_the_portal(
    browser: Browser, up: Up, portal: Portal
) -> None:
    desk = Desk(browser, up.url)
    page = desk.sign_in("nga", PASSWORD)
    page.get_by_role("link", name="huyen").first.click()
    page.get_by_text("Mục khác").click()
    page.get_by_role("link", name="Số cũ").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Số liệu của bộ đếm cũ")
    for label, number in OLD.items():
        page.get_by_label(label, exact=True).fill(number)
    # By keyboard, as whoever types numbers does.
    page.keyboard.press("Enter")
    frame = page.frame_locator("#found iframe")
    expect(frame.locator("p[role=img]")).to_have_text("00008307145")
    assert frame.locator("li").all_inner_texts() == lines_of(OLD)
    assert up.http.get("/api/counter/huyen").json()["total"] == 0
    assert problems(page) == []
    page.get_by_label("Lý do").fill("bộ đếm DNN")
    page.get_by_role("button", name="Nhập các số này").click()
    expect(page.locator(".done")).to_be_visible()
    expect(page.get_by_role("row", name="bộ đếm DNN")).to_contain_text("Năm 20")

    host = f"http://thongke.example:{urlsplit(up.url).port}"
    ways = Snippet(host, "huyen", PinnedScript("", "", "")).ways()
    # One who looks at the block without being counted, then one who is.
    portal.page(
        "/xem", ways["block"], head=ways["script"].replace("<script", "<script data-manual")
    )
    portal.page("/", ways["block"], head=ways["script"])
    reader = browser.new_context(user_agent=BROWSER)
    shown = reader.new_page()
    shown.clock.install()
    shown.goto(portal.url("/xem"))
    digits, lines = shown.locator("[part=digits]"), shown.locator("visitor-counter li")
    expect(digits).to_have_text("00008307145")
    assert lines.all_inner_texts() == lines_of(OLD)
    shown.goto(portal.url("/"))
    becomes(shown, digits.inner_text, "00008307146")
    assert lines.all_inner_texts() == lines_of(OLD, 1)
    reader.close()
    desk.close()


def test_it_works_without_scripts_and_is_taken_back_on_a_phone(browser: Browser, up: Up) -> None:
    desk = Desk(browser, up.url, java_script_enabled=False, viewport=PHONE)
    page = desk.sign_in("nga", PASSWORD)
    page.goto(up.url + PAGE.replace("huyen", "xa"))
    page.get_by_label("Tổng lượt truy cập").fill("445")
    page.get_by_role("button", name="Xem trước").first.click()
    expect(page.frame_locator("#found iframe").locator("p[role=img]")).to_have_text("00000000445")
    page.get_by_label("Lý do").fill("bộ đếm cũ")
    page.get_by_role("button", name="Nhập các số này").click()
    row = page.get_by_role("row", name="bộ đếm cũ")
    expect(row).to_contain_text("Tổng: 445 lượt truy cập")
    row.locator("summary").click()
    row.get_by_label("Lý do").fill("nhầm")
    row.get_by_role("button", name="Rút lại").click()
    expect(page.get_by_role("row", name="Lần rút lại")).to_contain_text("-445 lượt truy cập")
    expect(page.get_by_role("row", name="bộ đếm cũ")).to_contain_text("đã rút lại")
    desk.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_file_is_looked_at_entered_once_and_taken_back(
    browser: Browser, up: Up, scripts: bool
) -> None:
    desk = Desk(browser, up.url, java_script_enabled=scripts, viewport=PHONE)
    page = desk.sign_in("nga", PASSWORD)
    home = up.url + PAGE.replace("huyen", "xa")
    rows = f"kỳ,lượt truy cập\n2019,1.200.000\n2020-0{1 + scripts},77\n2021,nhiều\n"
    file: FilePayload = {"name": "nam.csv", "mimeType": "text/csv", "buffer": rows.encode()}

    def choose() -> None:
        page.goto(home)
        page.get_by_label("Tệp", exact=True).set_input_files(file)
        page.get_by_role("button", name="Xem trước").last.click()

    choose()
    expect(page.locator("#found")).to_contain_text("3 dòng; 2 số sẽ được nhập: 1.200.077 lượt")
    expect(page.get_by_role("alert")).to_contain_text("Dòng 4: 'nhiều' không phải là số lượt")
    if scripts:
        assert problems(page) == []
        width: int = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
    page.get_by_label("Lý do").fill("các năm")
    page.get_by_label("Bỏ qua 1 dòng").check()
    page.get_by_role("button", name="Nhập các số này").click()
    expect(page.locator(".done")).to_be_visible()
    choose()
    expect(page.get_by_role("alert")).to_contain_text("đã được nhập trước đây, bởi nga")
    page.goto(home)
    row = page.get_by_role("row", name="các năm").first
    expect(row).to_contain_text("Năm 2019: 1.200.000 lượt truy cập")
    row.locator("summary").click()
    row.get_by_label("Lý do").fill("nhầm")
    row.get_by_role("button", name="Rút lại").click()
    expect(page.get_by_role("row", name="các năm").first).to_contain_text("đã rút lại")
    desk.wrong = [said for said in desk.wrong if "400" not in said]
    desk.close()
