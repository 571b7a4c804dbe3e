"""Names of provinces: those of Viet Nam in both languages, others as in ISO 3166-2."""

from functools import lru_cache
from importlib.resources import files

import msgspec

from services.api.dashboard.texts.language import Language
from services.model.display import Lang
from services.model.provinces import COUNTRY, PROVINCES, Province

REGION = "region"


class _Subdivision(msgspec.Struct, frozen=True, gc=False):
    code: str
    name: str


def region_name(value: str, t: Language) -> str:
    """Return the name of a region as stored in hits; '' if it is not a region.

    A province from before July 2025 is named together with the one that it is part of now; a region
    of another country together with that country.
    """
    if province := PROVINCES.get(value):
        return _in_viet_nam(province, t)
    code, hyphen, name = value.partition("-")
    if not hyphen or len(code) != len(COUNTRY) or not code.isupper():
        return ""
    return region_names(t).get(value) or t(
        "region.abroad", name=name, country=t.countries().get(code, code)
    )


def region_names(t: Language) -> dict[str, str]:
    """Return the names of all known regions, by the value that hits have."""
    return _names(t.lang)


@lru_cache(maxsize=len(Lang))
def _names(lang: Lang) -> dict[str, str]:
    t = Language(lang)
    countries = t.countries()
    names = {
        one.code: t(
            "region.abroad", name=one.name, country=countries.get(one.code[:2], one.code[:2])
        )
        for one in _subdivisions()
    }
    return names | {code: _in_viet_nam(province, t) for code, province in PROVINCES.items()}


def _subdivisions() -> tuple[_Subdivision, ...]:
    """Return the subdivisions of all countries, about five thousand."""
    data = files("pycountry").joinpath("databases", "iso3166-2.json").read_bytes()
    decoded = msgspec.json.decode(data, type=dict[str, tuple[_Subdivision, ...]])
    return decoded["3166-2"]


def _in_viet_nam(province: Province, t: Language) -> str:
    name = _name(province, t)
    if not province.into:
        return name
    return t("region.merged", name=name, into=_name(PROVINCES[province.into], t))


def _name(province: Province, t: Language) -> str:
    return province.name if t.lang == Lang.VI else province.in_english
