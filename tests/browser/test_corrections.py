"""An official takes a flood back on the dashboard, by mouse, with and without scripts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.admin import PHONE, Desk, problems, up_with_past
from tests.patience import rounds
from tests.servers.up import Up

PASSWORD = "một mật khẩu dài"
PAGE = "/admin/sites/mytho/corrections"
SPAM = "/mot-cau-cua-nguoi-la"
SLOW_MS = 30_000


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = up_with_past(tmp_path_factory.mktemp("up") / "data")
    token = (running.data / "token").read_text().strip()
    owner = {"Authorization": f"Bearer {token}"}
    user = {"name": "nga", "password": PASSWORD, "role": "editor", "sites": ["mytho"]}
    assert running.http.post("/api/admin/users", json=user, headers=owner).status_code == 201
    yield running
    assert running.end() == 0


def flood(up: Up, path: str, views: int, address: str) -> int:
    """Send views of an invented page, each of another visitor; return the total after them."""
    before = total(up)
    for number in range(views):
        answer = up.http.post(
            "/api/event",
            json={"n": "pageview", "d": "mytho", "u": f"https://mytho.example{path}"},
            headers={
                "User-Agent": f"Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Firefox/14.0",
                "X-Forwarded-For": address,
            },
        )
        assert answer.status_code == 202, answer.text
    return before + views


def total(up: Up) -> int:
    shown: int = up.http.get("/api/counter/mytho", params={"metric": "views"}).json()["total"]
    return shown


def wait_for_total(page: Page, up: Up, expected: int) -> None:
    for _ in rounds(0.05):
        if (found := total(up)) == expected:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"the total is {found}, expected {expected}")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_flood_is_found_looked_at_taken_back_and_given_back(
    browser: Browser, up: Up, scripts: bool
) -> None:
    desk = Desk(browser, up.url, java_script_enabled=scripts)
    page = desk.sign_in("nga", PASSWORD)
    path, address = (SPAM, "192.0.2.7") if scripts else (f"{SPAM}-2", "192.0.2.8")
    whole = flood(up, path, 40, address)
    wait_for_total(page, up, whole)

    page.goto(f"{up.url}/admin/sites/mytho?period=day&filters=event:page=={path}")
    page.get_by_text("Mục khác").click()
    page.get_by_role("link", name="Điều chỉnh").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Điều chỉnh số liệu")
    expect(page.get_by_label("Trang", exact=True)).to_have_value(path)
    page.get_by_role("button", name="Xem trước").click()

    found = page.locator("#found")
    expect(found).to_contain_text("chưa có gì thay đổi")
    expect(found).to_contain_text("40 lượt xem, 40 lượt truy cập, 40 khách")
    expect(found.get_by_role("row", name=path)).to_contain_text("40")
    assert total(up) == whole
    found.get_by_label("Lý do").fill(f"máy {address}")
    found.get_by_role("button", name="Trừ các lượt xem này").click()

    expect(page.locator(".done")).to_be_visible(timeout=SLOW_MS)
    row = page.get_by_role("row", name=f"máy {address}").first
    expect(row).to_contain_text("-40")
    wait_for_total(page, up, whole - 40)

    row.locator("summary").click()
    row.get_by_label("Lý do").fill("nhầm")
    row.get_by_role("button", name="Hoàn lại").click()
    expect(page.get_by_role("row", name="Lần hoàn lại").first).to_contain_text("40")
    expect(page.get_by_role("row", name=f"máy {address}").first).to_contain_text("đã hoàn lại")
    wait_for_total(page, up, whole)
    desk.close()


def test_a_page_is_hidden_and_the_peak_reset(browser: Browser, up: Up) -> None:
    desk = Desk(browser, up.url, locale="en-GB")
    page = desk.sign_in("nga", PASSWORD)
    page.goto(up.url + PAGE)
    page.get_by_label("Page, or the beginning").fill("/tin-tuc/*")
    page.get_by_role("button", name="Hide").click()
    expect(page.locator(".done")).to_be_visible()
    top = up.http.get("/api/top/mytho", params={"period": "30d", "limit": "50"}).json()["pages"]
    assert top
    assert not [one for one in top if one["path"].startswith("/tin-tuc/")]
    page.get_by_role("button", name="Show again: /tin-tuc/*").click()
    expect(page.get_by_role("button", name="Show again: /tin-tuc/*")).to_have_count(0)

    page.get_by_label("Page, or the beginning").fill("tin-tuc")
    page.get_by_role("button", name="Hide").click()
    expect(page.get_by_role("alert")).to_contain_text("'tin-tuc' is not a path")
    desk.wrong = [said for said in desk.wrong if "400" not in said]

    peak = page.locator("section", has_text="Most at once today")
    peak.get_by_label("Reason").fill("one machine")
    peak.get_by_role("button", name="Reset").click()
    expect(peak).to_contain_text("The number counted again is shown.")
    peak.get_by_label("Reason").fill("as it was")
    peak.get_by_role("button", name="Show the measured number").click()
    expect(peak).to_contain_text("The measured number is shown.")
    desk.close()


def test_what_cannot_be_found_is_said(browser: Browser, up: Up) -> None:
    desk = Desk(browser, up.url, viewport=PHONE)
    page = desk.sign_in("nga", PASSWORD)
    page.goto(f"{up.url}{PAGE}?from=2999-01-01T00:00&look=1")
    expect(page.get_by_role("alert")).to_contain_text("Thời gian")
    desk.wrong = [said for said in desk.wrong if "400" not in said]
    page.goto(f"{up.url}{PAGE}?page=/khong-co&look=1")
    expect(page.locator("#found")).to_contain_text("Không có lượt xem nào")
    expect(page.get_by_role("button", name="Trừ các lượt xem này")).to_have_count(0)
    page.goto(f"{up.url}{PAGE}?from=2026-01-01T00:00&look=1&page=/*&filters=visit:country!=VN")
    assert problems(page) == []
    width: int = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    desk.close()
