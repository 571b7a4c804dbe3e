"""What provinces are called: those of Viet Nam in both languages, others in English."""

from collections.abc import Mapping

from services.api.dashboard.language import Language
from services.model.display import Lang
from services.model.provinces import PROVINCES, Province

REGION = "region"


def region_name(value: str, t: Language) -> str:
    """Return the name of a region as a hit has it; '' where it is none.

    A province of before July 2025 is named with the one that it is part of now; one of another
    country with that country.
    """
    if province := PROVINCES.get(value):
        return _in_viet_nam(province, t)
    code, hyphen, part = value.partition("-")
    if not hyphen:
        return ""
    return t("region.abroad", name=part, country=t.countries().get(code, code))


def region_names(t: Language) -> Mapping[str, str]:
    """Return the names of all regions that have another than what a hit has, by that."""
    return {code: _in_viet_nam(province, t) for code, province in PROVINCES.items()}


def _in_viet_nam(province: Province, t: Language) -> str:
    name = _name(province, t)
    if not province.into:
        return name
    return t("region.merged", name=name, into=_name(PROVINCES[province.into], t))


def _name(province: Province, t: Language) -> str:
    return province.name if t.lang == Lang.VI else province.in_english
