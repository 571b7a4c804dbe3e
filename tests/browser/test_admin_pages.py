"""Every page of the dashboard: for all eyes and hands, under the strict policy, and in pictures."""

import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.admin import (
    ADMIN,
    DESKTOP,
    KEEP_PICTURES,
    OF_COLOURS,
    PHONE,
    Desk,
    cut_off,
    first_password,
    problems,
    up_with_past,
)
from tests.servers.up import ROOT, Up

PICTURES = ROOT / "docs" / "img" / "admin"
MAX_BYTES = 100_000
PAGES = {
    "sites": "/admin",
    "groups": "/admin/groups",
    "group": "/admin/groups/tinh?period=month",
    "group-form": "/admin/groups/tinh/edit",
    "new-group": "/admin/new-group",
    "public-group": "/public/groups/tinh",
    "site": "/admin/sites/mytho",
    "today": "/admin/sites/mytho?period=day&measure=visits",
    "filtered": "/admin/sites/mytho?filters=visit:device==mobile;visit:browser==Chrome",
    "nothing": "/admin/sites/mytho?filters=event:page==/nowhere",
    "waiting": "/admin/sites/nghean",
    "rows": "/admin/sites/mytho/all/page",
    "sections": "/admin/sites/mytho/all/page?section=/",
    "report": "/admin/sites/mytho/report?period=month",
    "report-mail": "/admin/sites/mytho/report/mail",
    "group-report": "/admin/groups/tinh/report?period=month",
    "group-sharing": "/admin/groups/tinh/sharing",
    "settings": "/admin/sites/mytho/settings",
    "imports": "/admin/sites/mytho/imports",
    "balances": "/admin/sites/mytho/balances?total=00008307145&look=1",
    "corrections": "/admin/sites/mytho/corrections?page=/&look=1",
    "embed": "/admin/sites/mytho/embed",
    "alerts": "/admin/sites/mytho/alerts",
    "notes": "/admin/sites/mytho/notes",
    "titles": "/admin/sites/mytho/titles",
    "sharing": "/admin/sites/mytho/sharing",
    "new-site": "/admin/new-site",
    "users": "/admin/users",
    "user": "/admin/users/nga",
    "tokens": "/admin/tokens",
    "audit": "/admin/audit",
    "account": "/admin/account",
    "second-factor": "/admin/second-factor",
    "missing": "/admin/sites/nowhere",
}
PICTURED = {
    "light": ("sites", "site", "waiting", "settings", "users"),
    "dark": ("site", "audit"),
    "phone": ("site", "sites"),
}
LOOKS = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
    "dark-phone": {"viewport": PHONE, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = up_with_past(tmp_path_factory.mktemp("up") / "data")
    token = (running.data / "token").read_text().strip()
    owner = {"Authorization": f"Bearer {token}"}
    user = {"name": "nga", "password": "một mật khẩu dài", "role": "editor", "sites": ["mytho"]}
    assert running.http.post("/api/admin/users", json=user, headers=owner).status_code == 201
    made = {"role": "viewer", "sites": ["mytho", "danang"], "note": "báo cáo hằng tháng"}
    assert running.http.post("/api/admin/tokens", json=made, headers=owner).status_code == 201
    change = {"display": {"digits": 8}, "significant": ["tabid"]}
    edit = running.http.patch("/api/admin/sites/mytho", json=change, headers=owner)
    assert edit.status_code == 200
    group = {"slug": "tinh", "name": "Tỉnh", "sites": ["mytho", "danang"], "public": True}
    assert running.http.post("/api/admin/groups", json=group, headers=owner).status_code == 201
    below = {"slug": "xa", "name": "Xã", "parent": "tinh", "sites": ["nghean"]}
    assert running.http.post("/api/admin/groups", json=below, headers=owner).status_code == 201
    happened = {"day": str(date.today() - timedelta(days=9)), "text": "Chuyển máy chủ"}  # noqa: DTZ011
    notes = running.http.post("/api/admin/sites/mytho/annotations", json=happened, headers=owner)
    assert notes.status_code == 201
    shared = running.http.post(
        "/api/admin/sites/mytho/shares", json={"name": "Sở TT&TT"}, headers=owner
    )
    assert shared.status_code == 201
    named = {"path": "/", "title": "Trang chủ: cổng thông tin điện tử, dịch vụ công, tin tức"}
    titled = running.http.put("/api/admin/sites/mytho/titles", json=named, headers=owner)
    assert titled.status_code == 200
    yield running
    assert running.end() == 0


@pytest.fixture(scope="module")
def session(browser: Browser, up: Up) -> list[dict[str, object]]:
    """The cookies of somebody who signed in."""
    desk = Desk(browser, up.url)
    page = desk.sign_in(ADMIN, first_password(up))
    expect(page.locator(".sites")).to_be_visible()
    cookies = [dict(cookie) for cookie in desk.context.cookies()]
    desk.close()
    return cookies


def sit_down(browser: Browser, up: Up, session: object, look: str = "light") -> Desk:
    desk = Desk(browser, up.url, **LOOKS[look])
    desk.context.add_cookies(session)  # type: ignore[arg-type]
    return desk


def widest(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return width


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, up: Up, session: object
) -> None:
    """A page is opened once, and then seen on each screen in each scheme of colours."""
    desk, stranger = sit_down(browser, up, session), Desk(browser, up.url)
    wrong: dict[str, object] = {}
    for name, path in {**PAGES, "sign-in": "/admin"}.items():
        page = (stranger if name == "sign-in" else desk).open(path)
        page.wait_for_load_state("networkidle")
        for look, seen in LOOKS.items():
            page.set_viewport_size(seen["viewport"])  # type: ignore[arg-type]
            page.emulate_media(color_scheme=seen["color_scheme"])  # type: ignore[arg-type]
            dark = seen["color_scheme"] == "dark"
            if found := problems(page, OF_COLOURS if dark else ()):
                wrong[f"{name}, {look}"] = found
            width: int = seen["viewport"]["width"]  # type: ignore[index]
            if widest(page) > width:
                wrong[f"{name}, {look}, wide"] = widest(page)
            if not dark and (found := cut_off(page)):
                wrong[f"{name}, {look}, cut off"] = found
            if os.environ.get(KEEP_PICTURES) and name in PICTURED.get(look, ()):
                keep(page, f"{name}-{look}")
    stranger.close()
    assert wrong == {}
    # The page that is not there says so, in the console too.
    desk.wrong = [said for said in desk.wrong if "404" not in said]
    desk.close()


def test_the_scheme_of_colours_changes_nothing_else() -> None:
    """So what axe finds in one of them beside colours, it finds in the other."""
    styles = (ROOT / "services/api/dashboard/static/admin.css").read_text("utf-8")
    assert styles.count("prefers-color-scheme") == 1
    root = re.search(
        r"@media \(prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}\s*\}", styles, re.DOTALL
    )
    assert root is not None
    assert re.sub(r"\s*--[a-z-]+: [^;{}]+;", "", root[1]).strip() == ""


@pytest.mark.parametrize("look", ["phone", "light"])
def test_the_other_pages_of_a_site_are_a_menu_that_closes(
    browser: Browser, up: Up, session: object, look: str
) -> None:
    desk = sit_down(browser, up, session, look)
    page = desk.open("/admin/sites/mytho")
    titles = page.get_by_role("link", name="Tiêu đề trang")
    expect(titles).to_be_hidden()
    menu = page.locator("summary", has_text="Mục khác")
    menu.focus()
    page.keyboard.press("Enter")
    expect(titles).to_be_visible()
    assert problems(page) == []
    assert widest(page) <= LOOKS[look]["viewport"]["width"]  # type: ignore[index]
    for link in page.locator(".pages li a").all():
        box = link.bounding_box()
        assert box is not None
        assert box["x"] >= 0, "it is on the screen"
    page.keyboard.press("Escape")
    expect(titles).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    page.locator("h1").click()
    expect(titles).to_be_hidden()
    menu.click()
    titles.click()
    expect(page).to_have_url(re.compile(r"/mytho/titles$"))

    page = desk.open("/admin/audit")
    inner, outer = page.locator(".card.list").evaluate("(l) => [l.scrollWidth, l.clientWidth]")
    assert inner <= outer, "the audit log is read without scrolling sideways"
    desk.close()


def keep(page: Page, name: str) -> None:
    """Keep a picture for docs/admin.md."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for block in page.locator("section.block").all():
        block.evaluate("(block) => block.scrollIntoView()")
        page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png", full_page=False, animations="disabled")


def test_the_pictures_in_the_documents_are_small() -> None:
    kept = {picture.name: picture.stat().st_size for picture in Path(PICTURES).glob("*.png")}
    assert kept, f"no pictures; run this file with {KEEP_PICTURES}=1"
    assert {name: size for name, size in kept.items() if size > MAX_BYTES} == {}


def test_axe_would_find_a_colour_that_cannot_be_read(
    browser: Browser, up: Up, session: object
) -> None:
    desk = sit_down(browser, up, session)
    page = desk.open("/admin/users")
    page.evaluate("document.documentElement.style.setProperty('--muted', '#bbb')")
    assert any(found.startswith("color-contrast") for found in problems(page))
    desk.close()


def test_a_cell_that_is_cut_off_would_be_found(browser: Browser, up: Up, session: object) -> None:
    desk = sit_down(browser, up, session, "phone")
    page = desk.open(PAGES["report"])
    cell = ".cards tbody td"
    assert cut_off(page) == []
    for name, value in (("white-space", "nowrap"), ("overflow", "hidden"), ("width", "3rem")):
        script = "(one, [name, value]) => one.style.setProperty(name, value)"
        page.locator(cell).first.evaluate(script, [name, value])
    assert len(cut_off(page)) == 1
    page.locator(cell).first.evaluate("(one) => one.style.setProperty('overflow', 'visible')")
    assert len(cut_off(page)) == 1, "it pours over what is beside it"
    page.locator(cell).first.evaluate("(one) => (one.title = one.textContent)")
    assert cut_off(page) == []
    desk.close()


def test_the_policy_would_refuse_a_style_or_a_script_in_the_page(
    browser: Browser, up: Up, session: object
) -> None:
    desk = sit_down(browser, up, session)
    page = desk.open("/admin")
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<p style=\"color: red\">')"
    )
    assert any("Content Security Policy" in said for said in desk.wrong)
    desk.wrong.clear()
    desk.close()


def test_a_page_is_whole_without_javascript(browser: Browser, up: Up, session: object) -> None:
    desk = Desk(browser, up.url, java_script_enabled=False)
    desk.context.add_cookies(session)  # type: ignore[arg-type]
    page = desk.open("/admin/sites/mytho")
    expect(page.locator(".tiles a")).to_have_count(3)
    expect(page.locator(".chart.wide .line.now path")).to_have_count(1)
    expect(page.locator(".panel tbody tr").first).to_be_visible()
    page.locator("#device").get_by_role("link", name="Điện thoại").click()
    expect(page.get_by_role("link", name="Bỏ lọc Thiết bị: Điện thoại")).to_be_visible()
    desk.close()


def test_the_table_of_sites_follows_what_is_typed_and_is_sorted_without_javascript(
    browser: Browser, up: Up, session: object
) -> None:
    desk = sit_down(browser, up, session)
    page = desk.open("/admin?period=7d")
    rows = page.locator(".many tbody:not(.sum) tr")
    every = rows.count()
    assert every > 1
    page.get_by_role("searchbox").press_sequentially("thanh uy da")
    expect(rows).to_have_count(1)
    expect(page.locator(".sum th")).to_have_text("Tổng của 1 trang web")
    expect(page.get_by_role("status")).to_have_text("Tổng của 1 trang web")
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert "search=thanh+uy+da" in page.url
    assert "period=7d" in page.url
    desk.close()
    desk = Desk(browser, up.url, java_script_enabled=False)
    desk.context.add_cookies(session)  # type: ignore[arg-type]
    page = desk.open("/admin?period=7d")
    of_sites = page.get_by_role("columnheader", name="Trang web")
    of_sites.get_by_role("link").click()
    expect(of_sites).to_have_attribute("aria-sort", re.compile("ascending"))
    names = page.locator(".many tbody:not(.sum) th a").all_inner_texts()
    of_sites.get_by_role("link").click()
    expect(of_sites).to_have_attribute("aria-sort", re.compile("descending"))
    assert page.locator(".many tbody:not(.sum) th a").all_inner_texts() == names[::-1]
    page.get_by_role("searchbox").fill("khong co")
    page.get_by_role("button", name="Xem").click()
    expect(page.get_by_text("Không có trang web nào khớp với “khong co”.")).to_be_visible()
    assert "period=7d" in page.url
    desk.close()


def test_everything_on_a_page_is_reached_by_keyboard(
    browser: Browser, up: Up, session: object
) -> None:
    desk = sit_down(browser, up, session)
    page = desk.open("/admin/sites/mytho")
    # The panels come after the page.
    expect(page.get_by_text("google.com", exact=True).first).to_be_visible()
    reached = []
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    focusable = page.locator("a[href], button, summary, .scroll").count()
    for _ in range(focusable + 2):
        reached.append(
            page.evaluate(
                "(document.activeElement.innerText || document.activeElement.tagName).trim()"
            )
        )
        page.keyboard.press("Tab")
    assert {"Đăng xuất", "7 ngày", "Tùy chọn", "Bảng số liệu", "google.com"} <= set(reached)
    page.locator(".custom summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Từ ngày")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Từ ngày")).to_be_hidden()
    expect(page.locator(".custom summary")).to_be_focused()
    desk.close()


def test_a_pointer_on_the_chart_shows_the_numbers_of_the_day(
    browser: Browser, up: Up, session: object
) -> None:
    desk = sit_down(browser, up, session)
    page = desk.open("/admin/sites/mytho?period=7d")
    page.get_by_text("Bảng số liệu").click()
    row = page.locator(".scroll tbody tr").nth(3)
    day, now, before = row.locator("th, td").all_inner_texts()
    compared = page.locator(".scroll thead th").nth(2).inner_text()
    assert re.fullmatch(r"Kỳ so sánh \(\d+/\d+/\d+ – \d+/\d+/\d+\)", compared)
    page.locator(".chart.wide .mark").nth(3).hover()
    expect(page.locator(".tip")).to_have_text(f"{day}\nKỳ này: {now}\n{compared}: {before}")
    desk.close()


def test_english_is_one_click_away_and_stays(browser: Browser, up: Up, session: object) -> None:
    desk = sit_down(browser, up, session)
    page = desk.open("/admin/sites/mytho?period=7d")
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Top pages")).to_be_visible()
    assert "period=7d" in page.url
    desk.open("/admin")
    expect(page.get_by_role("heading", name="Sites", exact=True)).to_be_visible()
    desk.close()


def test_a_custom_period_is_in_the_address_and_a_wrong_one_is_explained(
    browser: Browser, up: Up, session: object
) -> None:
    desk = sit_down(browser, up, session)
    page = desk.open("/admin/sites/mytho?period=custom&from=2026-02-30&to=2026-03-01")
    expect(page.get_by_role("heading", level=1)).to_have_text("Yêu cầu không thực hiện được")
    expect(page.get_by_role("main")).to_contain_text("2026-02-30")
    desk.wrong = [said for said in desk.wrong if "400" not in said]
    desk.close()
