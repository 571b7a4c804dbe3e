"""The provinces of Viet Nam, before and since 1 July 2025."""

import json
from importlib.resources import files

import pytest

from services.api.dashboard.texts.language import Language
from services.api.dashboard.texts.region_names import region_name, region_names
from services.api.stats.grammar.filters import parse
from services.model.display import Lang
from services.model.provinces import PROVINCES, code_of


def test_63_provinces_became_34_which_have_names_of_theirs() -> None:
    assert len(PROVINCES) == 63
    today = {code for code, province in PROVINCES.items() if not province.into}
    assert len(today) == 34
    assert {province.into for province in PROVINCES.values()} - {""} <= today
    assert len({province.name for province in PROVINCES.values()}) == 63


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Hanoi", "VN-HN"),
        ("Hà Nội", "VN-HN"),
        ("Ho Chi Minh City", "VN-SG"),
        ("Thành phố Hồ Chí Minh", "VN-SG"),
        ("TP. Đà Nẵng", "VN-DN"),
        ("Tỉnh Đồng Tháp", "VN-45"),
        ("Dong Thap Province", "VN-45"),
        ("Ha Tinh", "VN-23"),
        ("Thua Thien-Hue", "VN-26"),
        ("Ba Ria-Vung Tau", "VN-43"),
        ("Bà Rịa – Vũng Tàu", "VN-43"),
        ("Haiphong", "VN-HP"),
        ("California", ""),
        ("", ""),
    ],
)
def test_a_province_is_found_by_its_name_however_a_file_writes_it(name: str, code: str) -> None:
    assert code_of(name) == code


def test_a_filter_takes_the_code_of_a_province_or_its_name() -> None:
    for value in ("VN-45", "Đồng Tháp", "dong thap"):
        (found,) = parse(f"visit:region=={value}")
        assert found.values == ["VN-45"]
    (abroad,) = parse("visit:region==US-California")
    assert abroad.values == ["US-California"]


def test_codes_are_those_of_the_standard() -> None:
    data = files("pycountry").joinpath("databases", "iso3166-2.json").read_text("utf-8")
    standard = {one["code"]: one["name"] for one in json.loads(data)["3166-2"]}
    assert {code for code in standard if code.startswith("VN-")} == set(PROVINCES)
    differing = {
        code for code, name in standard.items() if code in PROVINCES and code_of(name) != code
    }
    assert differing == set()


def test_provinces_are_named_in_both_languages_with_what_they_are_now() -> None:
    vi, en = Language(Lang.VI), Language(Lang.EN)
    for value, vietnamese, english in (
        ("VN-HN", "Hà Nội", "Hanoi"),
        ("VN-SG", "Hồ Chí Minh", "Ho Chi Minh City"),
        ("VN-45", "Đồng Tháp", "Dong Thap"),
        ("VN-46", "Tiền Giang (nay thuộc Đồng Tháp)", "Tien Giang (now part of Dong Thap)"),
        ("US-CA", "California, Hoa Kỳ", "California, United States"),
        ("US-California", "California, Hoa Kỳ", "California, United States"),
        ("VN-99", "99, Việt Nam", "99, Vietnam"),
        ("(not set)", "", ""),
        ("Bà Rịa - Vũng Tàu", "", ""),
    ):
        assert (region_name(value, vi), region_name(value, en)) == (vietnamese, english)
    assert region_names(vi)["VN-46"] == "Tiền Giang (nay thuộc Đồng Tháp)"
