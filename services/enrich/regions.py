"""The province in a record of a location file, whoever made the file.

GeoLite2 and GeoIP2 City have a code of ISO 3166-2 (`subdivisions[0].iso_code`), DB-IP City Lite
and IP2Location in MMDB only a name (`subdivisions[0].names.en`). Anything finer, such as a city,
is not read.
"""

import re
from collections.abc import Mapping

from services.model import provinces
from services.model.paths import clean

MAX_BYTES = 64
"""The limit of a region; a longer name is cut."""
_PART = re.compile(r"[A-Z0-9]{1,3}")


def region_of(country: str, record: Mapping[object, object]) -> str:
    """Return the region in a record of a country, '' if it names none.

    That is its ISO 3166-2 code if the record has one, or if the name is that of a province of
    Viet Nam; else the country, a hyphen and the name.
    """
    subdivisions = record.get("subdivisions")
    first = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else None
    if not country or not isinstance(first, dict):
        return ""
    code = first.get("iso_code")
    if isinstance(code, str):
        part = code.removeprefix(f"{country}-")
        if _PART.fullmatch(part):
            return f"{country}-{part}"
    name = _name(first.get("names"))
    if not name:
        return ""
    known = provinces.code_of(name) if country == provinces.COUNTRY else ""
    return known or f"{country}-{name}".encode()[:MAX_BYTES].decode(errors="ignore").rstrip()


def _name(names: object) -> str:
    name = names.get("en") if isinstance(names, dict) else None
    # Longer than any name; it is cut later, once it is known not to be in Viet Nam.
    return clean(name[: 2 * MAX_BYTES]).strip() if isinstance(name, str) else ""
