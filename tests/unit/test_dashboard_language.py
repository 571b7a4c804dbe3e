"""The words of the dashboard, and how each language writes numbers and dates."""

import re
from datetime import date
from importlib.resources import files
from string import Formatter

from starlette.requests import Request

from services.api.dashboard import language
from services.api.dashboard.language import Language
from services.api.dashboard.words import WORDS
from services.model.display import Lang

VI, EN = Language(Lang.VI), Language(Lang.EN)


def asked(query: str = "", cookie: str = "", accepted: str = "") -> Lang:
    headers = [(b"cookie", cookie.encode()), (b"accept-language", accepted.encode())]
    scope = {"type": "http", "query_string": query.encode(), "headers": headers}
    return language.wanted(Request(scope))


def test_every_text_is_there_in_both_languages_with_the_same_gaps() -> None:
    wrong = []
    for key, texts in WORDS.items():
        gaps = [{field for _, field, *_ in Formatter().parse(text) if field} for text in texts]
        if not all(texts) or gaps[0] != gaps[1]:
            wrong.append(key)
    assert wrong == []


def test_every_text_that_a_template_names_exists() -> None:
    templates = files("services.api.dashboard").joinpath("templates")
    named = {
        key
        for template in templates.iterdir()
        for key in re.findall(r"""\bt\(["']([\w. ()/]+)["'](?! ~)""", template.read_text("utf-8"))
    }
    assert len(named) > 100
    assert named - set(WORDS) == set()


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
    assert (VI.short(1500), EN.short(1500)) == ("1,5 N", "1.5k")
    assert (VI.short(2_000_000), EN.short(2_000_000)) == ("2 Tr", "2M")
    assert (VI.duration(61), EN.duration(61)) == ("1 phút 01", "1 min 01")


def test_dates_are_written_as_the_language_does() -> None:
    day = date(2026, 11, 22)
    assert (VI.day(day), EN.day(day)) == ("Chủ nhật, 22/11/2026", "Sun, 22 Nov 2026")
    assert (VI.month(day), EN.month(day)) == ("Tháng 11/2026", "Nov 2026")
