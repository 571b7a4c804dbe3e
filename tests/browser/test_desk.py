"""An owner makes a link, a portal frames what it shows, and an editor writes on a day."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.admin import ADMIN, PHONE, Desk, first_password, problems, up_with_past
from tests.servers.up import Up

SITE = "/admin/sites/mytho"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = up_with_past(tmp_path_factory.mktemp("up") / "data")
    yield running
    assert running.end() == 0


@pytest.fixture(scope="module")
def owner(browser: Browser, up: Up) -> Iterator[Desk]:
    desk = Desk(browser, up.url)
    page = desk.sign_in(ADMIN, first_password(up))
    expect(page.locator(".sites")).to_be_visible()
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def portal() -> Iterator[tuple[int, dict[str, str]]]:
    """A portal whose pages are what the dictionary says."""
    pages: dict[str, str] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path, "").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], pages
    server.shutdown()
    server.server_close()


def wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def test_a_link_opens_the_traffic_for_who_has_no_account_until_it_is_withdrawn(
    browser: Browser, owner: Desk, up: Up, portal: tuple[int, dict[str, str]]
) -> None:
    page = owner.open(f"{SITE}/sharing")
    page.get_by_label("Dành cho ai").fill("Sở TT&TT")
    page.get_by_role("button", name="Tạo liên kết").click()
    link = page.locator("section code").inner_text()
    assert link.startswith(f"{up.url}/share/")
    assert problems(page) == []

    for viewport in ({"width": 1080, "height": 700}, PHONE):
        guest = Desk(browser, up.url, viewport=viewport)
        shown = guest.open(link.removeprefix(up.url))
        expect(shown.get_by_role("heading", name="Mỹ Tho")).to_be_visible()
        expect(shown.get_by_role("link", name="Đăng nhập")).to_have_count(0)
        shown.get_by_role("link", name="7 ngày").click()
        expect(shown.locator(".plot svg").first).to_be_attached()
        assert shown.url.startswith(link)
        assert problems(shown) == []
        assert not wide(shown)
        guest.close()

    port, pages = portal
    pages["/"] = f'<!doctype html><title>Portal</title><iframe title="x" src="{link}"></iframe>'
    pages["/session"] = (
        f'<!doctype html><title>Portal</title><iframe title="x" src="{up.url}{SITE}"></iframe>'
    )
    address = f"http://mytho.example:{port}"
    visitor = browser.new_context().new_page()
    refused: list[str] = []
    visitor.on("console", lambda message: refused.append(message.text))
    visitor.goto(address)
    visitor.wait_for_load_state("networkidle")
    assert any("frame-ancestors" in text for text in refused), refused
    page = owner.open(f"{SITE}/sharing")
    page.get_by_label("Tên miền được phép nhúng").fill("mytho.example")
    page.get_by_role("button", name="Lưu").click()
    expect(page.get_by_role("status")).to_be_visible()
    visitor.goto(address)
    inside = visitor.frame_locator("iframe")
    expect(inside.get_by_role("heading", name="Mỹ Tho")).to_be_visible()
    refused.clear()
    visitor.goto(f"{address}/session")
    visitor.wait_for_load_state("networkidle")
    assert any("frame-ancestors" in text for text in refused), refused
    visitor.context.close()

    page = owner.open(f"{SITE}/sharing")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Thu hồi: Sở TT&TT").click()
    expect(page.get_by_text("Chưa có liên kết nào")).to_be_visible()
    guest = Desk(browser, up.url)
    gone = guest.open(link.removeprefix(up.url))
    expect(gone.get_by_text("Liên kết này không có hoặc đã bị thu hồi.")).to_be_visible()
    assert problems(gone) == []
    guest.context.close()


def test_what_is_written_on_a_day_stands_on_the_chart(owner: Desk) -> None:
    page = owner.open(f"{SITE}/notes")
    page.get_by_label("Nội dung").fill("Khai trương cổng mới")
    page.get_by_role("button", name="Thêm ghi chú").click()
    expect(page.get_by_role("row", name="Khai trương cổng mới")).to_be_visible()
    assert problems(page) == []
    page = owner.open(SITE)
    expect(page.locator(".notes")).to_contain_text("Khai trương cổng mới")
    expect(page.locator(".chart.wide .noted")).to_have_count(1)
    page.locator(".chart.wide .mark").last.hover()
    expect(page.locator(".tip")).to_contain_text("Khai trương cổng mới")
    assert problems(page) == []
    page = owner.open(f"{SITE}/notes")
    page.get_by_role("button", name="Xóa: ").click()
    expect(page.get_by_text("Chưa có ghi chú nào")).to_be_visible()
