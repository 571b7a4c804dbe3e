"""The month of a province's office, from signing in to the report in somebody's post."""

import io
import json
from collections.abc import Iterator
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.admin import ADMIN, DESKTOP, PHONE, Desk, first_password, problems, up_with_past
from tests.browser.province import NAMES, PAST
from tests.servers import oidc
from tests.servers.oidc import OidcProvider
from tests.servers.redis import free_port
from tests.servers.smtp import SmtpServer, smtp_server
from tests.servers.up import Up

SITE, NAME = "tan-ho-co", "Xã Tân Hộ Cơ"
RENEWED = "Mở lại cổng sau nâng cấp"
LOOKS: tuple[tuple[str, ViewportSize], ...] = (
    ("light", {"width": DESKTOP["width"], "height": DESKTOP["height"]}),
    ("dark", {"width": PHONE["width"], "height": PHONE["height"]}),
)
FOCUSED = """(element) => {
    if (document.activeElement !== element) return "";
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const { top, bottom, width } = element.getBoundingClientRect();
    return outlineStyle !== "none" && parseFloat(outlineWidth) > 0 && width > 0
        && bottom > 0 && top < innerHeight ? "seen" : "unseen";
}"""


class Office(NamedTuple):
    """A province's Luot, and what stands around it."""

    up: Up
    provider: OidcProvider
    smtp: SmtpServer
    months: tuple[str, str, str]
    """Last month, the one before, and last month a year before."""
    views: dict[str, dict[str, int]]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    port = free_port()
    provider = OidcProvider(tmp_path_factory.mktemp("provider"), f"http://127.0.0.1:{port}")
    provider.person("lan", "ban-bien-tap")
    provider.start()
    data: Path = tmp_path_factory.mktemp("up") / "data"
    with smtp_server() as smtp:
        settings = {
            **provider.settings,
            "LUOT_OIDC_ROLES": "ban-bien-tap=editor:group/tinh",
            "LUOT_SMTP_URL": smtp.url,
            "LUOT_MAIL_FROM": "Luot <thongke@example.vn>",
        }
        up = up_with_past(data, "province", port, **settings)
        owner = {"Authorization": f"Bearer {(data / 'token').read_text().strip()}"}
        group = {"slug": "tinh", "name": "Tỉnh Đồng Tháp", "sites": list(NAMES)}
        assert up.http.post("/api/admin/groups", json=group, headers=owner).status_code == 201
        yield Office(up, provider, smtp, **json.loads((data / PAST).read_text("utf-8")))
        assert up.end() == 0
    provider.stop()


def look(page: Page) -> None:
    """See that a page is for all eyes: on a light desk, and on a telephone in the dark."""
    for scheme, size in LOOKS:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size(size)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], page.url
        assert problems(page) == [], (page.url, scheme)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(LOOKS[0][1])


def press(wanted: Locator, key: str = "Enter") -> None:
    """Go to something by the tabulator alone, see that it is seen to be there, and press a key."""
    page = wanted.page
    expect(wanted).to_have_count(1)
    for _ in range(150):
        if how := wanted.evaluate(FOCUSED):
            assert how == "seen", wanted
            page.keyboard.press(key)
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{wanted} is not reached by keyboard")


def written(number: int) -> str:
    """Return a number as an office writes it."""
    return f"{number:,}".replace(",", ".")


def changed(now: int, before: int) -> str:
    """Return a change as the table says it, sign and all."""
    percent = round((now - before) * 100 / before)
    return f"{'↑ ' if percent > 0 else '↓ ' if percent < 0 else ''}{abs(percent)}%"


def test_the_month_of_an_office(browser: Browser, office: Office) -> None:
    url = office.up.url
    last, before, year_before = office.months
    views = office.views[SITE]
    desk = Desk(browser, url, accept_downloads=True)
    page = desk.page

    # In, with the account of the province: what one may do follows from a group there.
    desk.open("/admin")
    look(page)
    press(page.get_by_role("link", name="Đăng nhập bằng Cổng tỉnh"))
    page.get_by_label("Username").fill("lan")
    page.get_by_label("Password").fill(oidc.PASSWORD)
    page.keyboard.press("Enter")
    table = page.locator(".many tbody:not(.sum) tr")
    expect(table).to_have_count(len(NAMES))

    # A commune, typed as one types in a hurry.
    press(page.get_by_role("searchbox"), "End")
    page.keyboard.type("tan ho co")
    expect(table).to_have_count(1)
    expect(table.get_by_role("link")).to_have_text(NAME)
    look(page)

    # The group, last month, against the same month of the year before.
    press(page.get_by_role("link", name="Nhóm trang web"))
    look(page)
    press(page.get_by_role("link", name="Tỉnh Đồng Tháp"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Tỉnh Đồng Tháp")
    press(page.get_by_text("Kỳ khác"))
    press(page.get_by_role("link", name="Tháng trước"))
    press(page.locator(".against summary"))
    press(page.get_by_role("link", name="So với cùng kỳ năm trước"))
    expect(page.locator(".against summary")).to_contain_text(f"/{year_before[:4]}")
    total = sum(of[last] for of in office.views.values())
    expect(page.locator(".sum .count.now")).to_have_text(written(total))
    row = table.filter(has_text=NAME)
    expect(row.locator(".count.now")).to_have_text(written(views[last]))
    expect(row.locator(".changed [aria-hidden]")).to_have_text(
        changed(views[last], views[year_before])
    )
    look(page)

    # One site of it, in the same month; then its numbers by what is clicked.
    press(row.get_by_role("link"))
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    tile = page.locator(".tiles li").first
    expect(tile.locator(".value")).to_have_text(written(views[last]))
    for panel in ("exit_page", "not_found", "searches", "outbound_links", "downloads"):
        expect(page.locator(f"#{panel} tbody tr").first).to_be_visible()
    look(page)
    press(page.locator("#source").get_by_role("link", name="Google", exact=True))
    expect(page.get_by_role("link", name="Bỏ lọc Nguồn: Google")).to_be_visible()
    from_google = int(tile.locator(".value").inner_text().replace(".", ""))
    assert 0 < from_google < views[last]
    press(page.locator("#page").get_by_role("link", name="/lien-he", exact=True))
    expect(page.locator(".chips a").first).to_be_visible()
    assert 0 < int(tile.locator(".value").inner_text().replace(".", "")) < from_google
    look(page)
    press(page.get_by_role("link", name="Bỏ tất cả"))
    expect(tile.locator(".value")).to_have_text(written(views[last]))
    press(page.locator("#page .every a"))
    rows = page.locator(".rows tbody tr")
    expect(rows).to_have_count(12)
    press(page.get_by_role("searchbox"), "End")
    page.keyboard.type("le hoi")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    look(page)
    page.go_back()
    expect(rows).to_have_count(12)
    page.go_back()
    expect(tile.locator(".value")).to_have_text(written(views[last]))

    # What happened on a day stands on the chart.
    day = date.fromisoformat(f"{last}-15")
    press(page.get_by_text("Mục khác"))
    press(page.get_by_role("link", name="Ghi chú"))
    page.get_by_label("Ngày").fill(day.isoformat())
    page.get_by_label("Nội dung").fill(RENEWED)
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name=RENEWED)).to_be_visible()
    look(page)
    desk.open(f"/admin/sites/{SITE}?period=month&date={last}-01")
    expect(page.locator(".notes")).to_contain_text(RENEWED)
    expect(page.locator(".chart.wide .noted")).to_have_count(1)

    # The report of the month, on the page, as a workbook, and by e-mail: the same numbers.
    press(page.get_by_role("link", name="Báo cáo"))
    figures = page.locator(".report section").first.locator("tbody tr")
    expect(figures).to_have_count(4)
    texts = [row.locator("td").all_inner_texts() for row in figures.all()]
    assert texts[0][0] == written(views[last])
    assert (texts[0][2], texts[0][4]) == (written(views[before]), written(views[year_before]))
    look(page)
    with page.expect_download() as download:
        press(page.get_by_role("link", name="Tải tệp Excel"))
    kept = download.value.path().read_bytes()
    assert cells(kept) == [[int(number.replace(".", "")) for number in row[::2]] for row in texts]

    # Every month from now on; and that of last month at once, by who runs the server.
    press(page.get_by_role("link", name="Gửi báo cáo qua thư"))
    page.get_by_label("Người nhận").fill("chutich@dongthap.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="chutich@dongthap.example")).to_be_visible()
    look(page)
    owner = Desk(browser, url)
    owner.sign_in(ADMIN, first_password(office.up))
    expect(owner.page.locator(".sites")).to_be_visible()
    owner.open(f"/admin/sites/{SITE}/report/mail")
    owner.page.get_by_label("Người nhận", exact=True).fill("chutich@dongthap.example")
    press(owner.page.get_by_role("button", name="Gửi báo cáo tháng trước"))
    expect(owner.page.get_by_role("status")).to_be_visible()
    ((receivers, message),) = office.smtp.received
    assert receivers == ["chutich@dongthap.example"]
    said, shown, book = parts(message)
    for name, numbers in zip(("Lượt xem", "Lượt truy cập", "Khách truy cập"), texts, strict=False):
        assert f"{name}: {numbers[0]} " in said
        assert f">{numbers[0]}</td>" in shown
    assert cells(book) == cells(kept)
    # As a program for mail shows it: on a page without the policy of Luot.
    letter = owner.context.new_page()
    letter.set_content(shown)
    look(letter)
    owner.close()

    # And out: a page of before says nothing more.
    press(page.get_by_role("button", name="Đăng xuất"))
    expect(page.get_by_text("Bạn đã đăng xuất khỏi Luot.")).to_be_visible()
    look(page)
    desk.open(f"/admin/sites/{SITE}")
    expect(page.get_by_role("link", name="Đăng nhập bằng Cổng tỉnh")).to_be_visible()
    desk.close()


def cells(book: bytes) -> list[list[object]]:
    """Return the numbers of the summary of a workbook: of this period, before, a year before."""
    sheet = openpyxl.load_workbook(io.BytesIO(book))["Tổng hợp"]
    head = [cell.value for cell in sheet[3]]
    columns = [head.index(name) for name in ("Kỳ này", "Kỳ trước", "Cùng kỳ năm trước")]
    return [[sheet[row][column].value for column in columns] for row in range(4, 8)]


def parts(message: EmailMessage) -> tuple[str, str, bytes]:
    """Return what a message says as text, as HTML, and its workbook."""
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    (book,) = message.iter_attachments()
    return plain.get_content(), html.get_content(), book.get_content()
