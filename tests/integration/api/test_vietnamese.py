"""Nothing on a page in Vietnamese is in English."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from services.api.app import Api
from services.model.site import Site
from tests.integration.api import changes
from tests.integration.api.people import add_user, browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORD = re.compile(r"\b[a-z]{3,}\b", re.IGNORECASE)
# Paths, hosts and the slug of a site; words with marks are Vietnamese, such as the block's.
DATA = re.compile(r"^/|\b[a-z]+\.(?:example|gov)\b|^mytho$|^lan\b|[^\x00-\x7f·–…“”]")
SIGN_IN = "/admin/sign-in"
PAGES = (
    "/admin",
    "/admin?search=nowhere",
    "/admin/groups",
    "/admin/groups/mytho?period=month",
    "/admin/groups/mytho/edit",
    "/admin/groups/nowhere",
    "/admin/new-group",
    "/public/groups/mytho",
    "/admin/account",
    "/admin/audit",
    "/admin/second-factor",
    "/admin/nowhere",
    "/admin/users/lan/password",
    "/admin/sites/nowhere",
    SIGN_IN,
    f"{SIGN_IN}?unsaved=1",
    "/admin/sites/mytho",
    "/admin/sites/mytho?period=month&compare=year_over_year",
    "/admin/sites/mytho/all/page?section=/",
    "/admin/sites/mytho/all/country?sort=name",
    "/admin/sites/mytho/balances",
    "/admin/sites/mytho/corrections",
    "/admin/sites/mytho/embed",
    "/admin/sites/mytho/imports",
    "/admin/sites/mytho/notes",
    "/admin/sites/mytho/sharing",
    "/admin/sites/mytho/titles",
    "/admin/sites/mytho?period=custom&date=2024-02-01,2024-01-01",
    "/admin/sites/mytho?filters=visit:exit_page==/",
    "/admin/sites/mytho?filters=event:page",
    "/admin/sites/mytho/report/mail",
    "/admin/sites/mytho/alerts",
    "/admin/sites/mytho/report?period=report_quarter",
    "/admin/sites/mytho/report?period=year&opening=include",
    "/admin/sites/mytho/settings",
    "/admin/sites/mytho/sharing",
    "/admin/sites/mytho/titles",
    "/admin/sites/mytho/titles?written=2",
    "/admin/new-site",
    "/admin/tokens",
    "/admin/users",
    "/admin/users/lan",
)
NAMES = {
    *("ASP.NET", "DNN", "English", "Luot"),
    *("Drupal", "Joomla", "Liferay", "NukeViet", "Vinaora", "WordPress"),
    *("Content-Security-Policy", "pdf, docx, xlsx, zip", "q, tukhoa", "tabid, nv"),
    "visit:country!=VN",
}
"""What is the same in every language, as are paths and host names."""


REFUSED = {
    "/admin/new-group": {"slug": "Mỹ Tho", "parent": "nowhere", "sites": "nowhere"},
    "/admin/new-site": {"slug": "Mỹ Tho", "name": "x", "hosts": "https://a b", "timezone": "Sao"},
    "/admin/sites/mytho/settings": {"hosts": "a b", "timezone": "Sao", "metric": "none"},
    "/admin/users": {"name": "a b", "password": "x", "role": "king", "sites": "nowhere"},
    "/admin/users/lan/password": {"password": "x"},
    "/admin/tokens": {"note": "x" * 300, "role": "viewer", "sites": "nowhere"},
    "/admin/sites/mytho/corrections": {"from": "soon", "to": "", "filters": "event:page"},
    "/admin/sites/mytho/balances": {"total": "many", "reason": ""},
    "/admin/sites/mytho/hidden": {"hidden_pages": "no path"},
    "/admin/sites/mytho/alerts": {"addresses": "lan", "lang": "fr", "silent_hours": "soon"},
    "/admin/sites/mytho/alerts/test": {"send": "now"},
    "/admin/nowhere": {},
}
"""Forms that are filled in wrongly, by what they are posted to."""


class Reader(HTMLParser):
    """Collects what a page says: its texts, and the attributes that are read or spoken."""

    SAYING = ("alt", "aria-label", "placeholder", "title")
    SILENT = ("code", "pre", "script", "style", "textarea")

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in self.SILENT
        self.said |= {value for name, value in attrs if name in self.SAYING and value}

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in self.SILENT

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.add(" ".join(data.split()))


async def said(
    client: httpx.AsyncClient, page: str, lang: str, form: dict[str, str] | None = None
) -> set[str]:
    headers = {"Accept": "text/html", "Accept-Language": lang}
    if form is None:
        answer = await client.get(page, headers=headers)
    else:
        token = {"csrf": client.headers["X-CSRF-Token"]}
        answer = await client.post(page, headers=headers, data=form | token)
        assert answer.status_code >= 400, (page, answer.text)
    assert f'<html lang="{lang}"' in answer.text, (page, answer.status_code)
    reader = Reader()
    reader.feed(answer.text)
    return {text for text in reader.said if WORD.search(text) and not DATA.search(text)}


async def test_what_a_page_says_in_english_it_does_not_say_in_vietnamese(
    api: Api, client: httpx.AsyncClient
) -> None:
    await changes.save(api, Site(slug="huyen", name="Huyện Châu Thành", hosts=("*.chau.example",)))
    await add_user(client, "lan", "owner", ("*",))
    async with browser(client, "lan") as lan:
        group = {"slug": "mytho", "name": "Huyện", "sites": ["mytho"], "public": True}
        assert (await lan.post("/api/admin/groups", json=group)).status_code == 201
        for page in PAGES:
            reader = client if page.startswith(SIGN_IN) else lan
            both = await said(reader, page, "vi") & await said(reader, page, "en")
            assert both - NAMES == set(), page


async def test_who_is_refused_a_page_is_told_why_in_vietnamese_and_stays_signed_in(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan", "owner", ("*",))
    await add_user(client, "ba", "viewer", ("mytho",))
    as_person = {"Accept": "text/html", "Accept-Language": "vi"}
    async with browser(client, "ba") as ba:
        for page, why in (
            ("/admin/users", "ba là người xem; việc này cần vai trò quản trị viên"),
            ("/admin/sites/elsewhere", "Không tìm thấy"),
        ):
            answer = await ba.get(page, headers=as_person)
            assert answer.status_code in (403, 404)
            assert why in answer.text
            assert "/admin/account" in answer.text  # the menu of who is signed in
            assert "/admin/sign-in" not in answer.text


async def test_what_a_form_refuses_is_said_in_vietnamese(
    api: Api, client: httpx.AsyncClient
) -> None:
    await add_user(client, "lan", "owner", ("*",))
    async with browser(client, "lan") as lan:
        for page, form in REFUSED.items():
            both = await said(lan, page, "vi", form) & await said(lan, page, "en", form)
            assert {text for text in both if not is_given(text, form)} - NAMES == set(), page


def is_given(text: str, form: dict[str, str]) -> bool:
    """Tell whether a text is what was typed, or a value among which one chooses."""
    return any(value and value in text for value in form.values()) and not text.isascii()


async def test_an_address_that_leads_nowhere_is_a_page_for_people_and_json_for_programs(
    client: httpx.AsyncClient,
) -> None:
    as_person = {"Accept": "text/html", "Accept-Language": "vi"}
    for page, status in (("/admin/nowhere", 404), ("/admin/users/lan/password", 405)):
        answer = await client.get(page, headers=as_person)
        assert answer.status_code == status
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "Không tìm thấy" in answer.text or "không nhận yêu cầu" in answer.text
        assert "Content-Security-Policy" in answer.headers
        program = await client.get(page)
        assert list(program.json()["errors"]) == ["request"]
    assert answer.headers["Allow"] == "POST"
    assert (await client.get("/adminx", headers=as_person)).json()["errors"]
