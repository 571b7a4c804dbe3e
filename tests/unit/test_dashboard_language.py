"""The words of the dashboard, and how each language writes numbers and dates."""

import ast
import re
from datetime import date
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest
from hatchling.builders.wheel import WheelBuilder
from starlette.requests import Request

from services.api.access import passwords
from services.api.access.group_roles import Means
from services.api.access.trail import UNKNOWN
from services.api.dashboard.management.alerts_page import LIMITS
from services.api.dashboard.texts import language
from services.api.dashboard.texts.language import Language
from services.api.sites.alerts.judging import AlertKind
from services.api.sites.titles import fetches
from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.site_query import (
    CHARTED,
    COMPARISONS,
    CUSTOM,
    LONG_PERIODS,
    OPENINGS,
    PERIODS,
    REPORTS,
)
from services.api.stats.panels.apart import NAMED, PANELS
from services.api.stats.panels.breakdowns import BREAKDOWNS
from services.api.stats.panels.reading import DETAILS
from services.api.stats.periods.spans import Interval
from services.api.stats.reports.report_query import REPORT_PERIODS
from services.api.stats.rows.question import FROM_PAGE
from services.model.account import Role
from services.model.display import Lang
from services.model.site import Metric
from services.store.records.imports import ImportState
from services.widget.snippet import PinnedScript, Snippet

VI, EN = Language(Lang.VI), Language(Lang.EN)


def asked(query: str = "", cookie: str = "", accepted: str = "") -> Lang:
    headers = [(b"cookie", cookie.encode()), (b"accept-language", accepted.encode())]
    scope = {"type": "http", "query_string": query.encode(), "headers": headers}
    return language.preferred(Request(scope))


def forms(lang: Lang, key: str) -> list[str]:
    text = language.texts(lang).by_key[key]
    return [text] if isinstance(text, str) else list(text.values())


def gaps(text: str) -> set[str]:
    return {field for _, field, *_ in Formatter().parse(text) if field}


def sources() -> str:
    room = Path(__file__).parents[2] / "services/api/dashboard"
    found = [*room.rglob("*.py"), *room.joinpath("templates").glob("*.html")]
    return "".join(one.read_text("utf-8") for one in found)


def told() -> set[str]:
    """Return the keys of the messages that pages say in their own language, wherever they begin."""
    services = Path(__file__).parents[2] / "services"
    calls = [
        call
        for module in services.rglob("*.py")
        for call in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Translatable"
    ]
    keys = [call.args[1] for call in calls]
    return {str(key.value) for key in keys if isinstance(key, ast.Constant)}


def test_every_message_that_pages_translate_has_its_text_with_its_gaps() -> None:
    assert len(told()) > 10
    assert told() - set(language.texts(Lang.VI).by_key) == set()
    weak = passwords.check("lan", "matkhau123")
    short = passwords.check("lan", "abc")
    assert weak is not None
    assert short is not None
    assert "mật khẩu phổ biến" in VI.told(weak)
    assert "common password" in EN.told(weak)
    assert VI.told(short) == "3 ký tự; cần từ 10 đến 200 ký tự."
    assert VI.told("what no page translates") == "what no page translates"


def test_every_text_is_there_in_both_languages_with_the_same_gaps() -> None:
    keys = {lang: set(language.texts(lang).by_key) for lang in Lang}
    assert keys[Lang.EN] == keys[Lang.VI]
    wrong = []
    for key in keys[Lang.VI]:
        of_key = [text for lang in Lang for text in forms(lang, key)]
        if not all(of_key) or any(gaps(text) != gaps(of_key[0]) for text in of_key):
            wrong.append(key)
    assert wrong == []


def test_each_language_has_one_file() -> None:
    languages = files("services.api.dashboard").joinpath("languages")
    assert {one.name for one in languages.iterdir()} == {f"{lang}.toml" for lang in Lang}


def test_every_text_that_a_template_names_exists() -> None:
    templates = files("services.api.dashboard").joinpath("templates")
    named = {
        key
        for template in templates.iterdir()
        for key in re.findall(r"""\bt\(["']([\w. ()/]+)["'](?! ~)""", template.read_text("utf-8"))
    }
    assert len(named) > 100
    assert named - set(language.texts(Lang.VI).by_key) == set()


def test_every_text_is_used_and_what_is_named_by_a_value_has_one() -> None:
    snippet = Snippet(
        "https://luot.example", "mytho", PinnedScript("1", "/counter.js", "sha384-"), {}
    )
    of_values = {
        *(f"by.{by.field}" for by in Property),
        *(f"csv.{by.field}" for by in BREAKDOWNS.values()),
        *(f"csv.{measure}" for measure in CHARTED),
        "csv.date",
        "csv.date_before",
        "csv.weekday",
        *(f"csv.{column}" for column in ("rank", "site", "name", "silent_since")),
        *(f"alerts.kind.{kind}" for kind in AlertKind),
        *(
            f"alerts.mail.{kind}{over}{part}"
            for kind in AlertKind
            for over in ("", ".over")
            for part in ("", ".text")
        ),
        "alerts.mail.test.text",
        *(f"alerts.{name}.hint" for name in LIMITS),
        "csv.title",
        *(f"csv.{measure}_{of}" for measure in CHARTED for of in ("before", "change")),
        *(f"embed.{way}" for way in snippet.ways()),
        *(
            f"imports.state.{one.name.lower()}"
            for one in ImportState
            if one is not ImportState.DONE
        ),
        *(f"interval.{interval}" for interval in Interval),
        *(f"measure.{measure}" for measure in (*CHARTED, *DETAILS)),
        *(f"metric.{metric}" for metric in Metric),
        *(f"panel.{panel}" for panel in (*BREAKDOWNS, *PANELS)),
        *(f"{of}.{name}" for of in ("by", "csv") for name in (*NAMED.values(), FROM_PAGE)),
        *(f"measure.{panel}" for panel in PANELS),
        *(f"rows.about.{panel}" for panel in PANELS),
        *(f"csv.{panel}{of}" for panel in PANELS for of in ("", "_before", "_change")),
        *(f"compare.{compare}" for compare in COMPARISONS),
        *(f"opening.{one}" for one in OPENINGS),
        *(f"opening.show.{one}" for one in OPENINGS),
        *(f"period.{period}" for period in (*PERIODS, *LONG_PERIODS, *REPORTS)),
        *(f"period.last.{period}" for period in ("month", "quarter", "year")),
        *(f"outside.{means}" for means in get_args(Means)),
        *(f"actor.groups:{means}" for means in get_args(Means)),
        *(f"actor.{who}" for who in (UNKNOWN, "admin token")),
        *(f"report.period.{period}" for period in REPORT_PERIODS if period != CUSTOM),
        *(f"titles.run.{state}" for state in fetches.STATES),
        *(f"role.{role}" for role in Role),
        *(f"role.{role}.hint" for role in Role),
    }
    # Of these some values have a text, and others are shown as they are.
    some = ("action.", "choice.", "device.", "error.", "field.", "value.")
    keys = set(language.texts(Lang.VI).by_key)
    assert of_values - keys == set()
    literal = set(re.findall(r"""["']([\w.]+)["']""", sources()))
    unused = {key for key in keys - of_values - literal - told() if not key.startswith(some)}
    assert unused == set()


def test_the_languages_are_in_the_wheel() -> None:
    root = Path(__file__).parents[2]
    packed = {file.path for file in WheelBuilder(str(root)).recurse_included_files()}
    assert {
        str(root / "services" / "api" / "dashboard" / "languages" / f"{lang}.toml") for lang in Lang
    } <= packed


def test_a_count_chooses_the_plural_form() -> None:
    assert (EN("unit.points", count=1), EN("unit.points", count=2)) == ("1 point", "2 points")
    assert (VI("unit.points", count=1), VI("unit.points", count=2)) == (
        "1 điểm phần trăm",
        "2 điểm phần trăm",
    )


def test_languages_call_themselves_and_each_other_by_name() -> None:
    assert [language.own_name(lang) for lang in Lang] == ["Tiếng Việt", "English"]
    assert (VI.language(Lang.EN), EN.language(Lang.VI)) == ("Tiếng Anh", "Vietnamese")


def test_the_address_wins_over_the_cookie_and_that_over_the_browser() -> None:
    assert asked("lang=en", "luot_lang=vi", "vi") is Lang.EN
    assert asked("", "luot_lang=en", "vi") is Lang.EN
    assert asked("", "", "en-GB,en;q=0.9,vi;q=0.5") is Lang.EN
    assert asked("", "", "fr,en;q=0.3,vi;q=0.4") is Lang.VI
    assert asked("lang=de", "luot_lang=xx", "de") is Lang.VI, "Vietnamese where neither is wanted"


def test_numbers_are_written_as_the_language_does() -> None:
    assert (VI.number(1234567), EN.number(1234567)) == ("1.234.567", "1,234,567")
    assert (VI.number(2.5), EN.number(2.5)) == ("2,5", "2.5")
    assert (VI.number(None), EN.number(None)) == ("–", "–")
    assert (VI.short(1500), EN.short(1500)) == ("1,5 nghìn", "1.5k")
    assert (VI.short(2_000_000), EN.short(2_000_000)) == ("2 triệu", "2M")
    assert (VI.duration(61), EN.duration(61)) == ("1 phút 01", "1 min 01")


def test_dates_are_written_as_the_language_does() -> None:
    day = date(2026, 11, 22)
    assert (VI.day(day), EN.day(day)) == ("Chủ nhật, 22/11/2026", "Sun, 22 Nov 2026")
    assert (VI.month(day), EN.month(day)) == ("Tháng 11/2026", "Nov 2026")
    assert (VI.tick(day), EN.tick(day)) == ("22/11", "22 Nov")
    assert (VI.month_tick(day), EN.month_tick(day)) == ("11/26", "Nov 26")
    at_ms = 1_795_366_800_000
    vi, en = (t.moment(at_ms, "Asia/Ho_Chi_Minh") for t in (VI, EN))
    assert (vi, en) == ("23/11/2026 00:00", "23 Nov 2026 00:00")


def test_everything_that_the_audit_log_says_was_done_has_a_text() -> None:
    recorded = {
        str(part.value)
        for module in (Path(__file__).parents[2] / "services").rglob("*.py")
        for call in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "recorded"
        for part in call.args[1:2]
        if isinstance(part, ast.Constant)
    }
    assert len(recorded) > 20
    for lang in Lang:
        assert {f"action.{name}" for name in recorded} - language.texts(lang).by_key.keys() == set()


@pytest.mark.parametrize(
    "path",
    [
        "services/api/dashboard/languages/vi.toml",
        "services/api/dashboard/refused/vi.toml",
        "services/cli/languages/vi.toml",
        "docs/vi/README.md",
    ],
)
def test_one_word_stands_for_one_thing_in_vietnamese(path: str) -> None:
    text = (Path(__file__).parents[2] / path).read_text("utf-8")
    for other, word in {
        r"khách(?! truy cập| viếng thăm)": "khách truy cập",
        r"thời lượng": "thời gian truy cập trung bình",
        r"(?<!thời )điểm(?! phần trăm| cuối| đầu)": "điểm phần trăm",
        r"mã truy cập": "khóa API",
        r"nhiều nhất cùng lúc": "truy cập đồng thời cao nhất",
        r"(?<!người )biên tập(?! viên)": "biên tập viên",
    }.items():
        lines = [
            line
            for line in text.splitlines()
            if re.search(other, line.partition(" = ")[2] or line, re.IGNORECASE)
        ]
        assert not lines, f"expected {word!r}"
