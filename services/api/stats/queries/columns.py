"""The columns of raw hits that properties are read from, and filters as conditions on them."""

import re
from collections.abc import Sequence
from typing import Any

from services.api.stats.grammar.filters import Filter, Pattern, Property
from services.api.stats.queries import sources

COLUMNS = {
    Property.PAGE: "path",
    Property.HOSTNAME: "host",
    Property.SOURCE: "source",
    Property.CHANNEL: "source",
    Property.REFERRER: "source",
    Property.UTM_SOURCE: "utm_source",
    Property.UTM_MEDIUM: "utm_medium",
    Property.UTM_CAMPAIGN: "utm_campaign",
    Property.UTM_CONTENT: "utm_content",
    Property.UTM_TERM: "utm_term",
    Property.COUNTRY: "country",
    Property.REGION: "region",
    Property.DEVICE: "device",
    Property.BROWSER: "browser",
    Property.OS: "os",
    Property.ENTRY_PAGE: "path",
    Property.EXIT_PAGE: "path",
}


def columns_of(by: Property) -> list[str]:
    """Return the columns from which a property is read."""
    return [COLUMNS[by], *(["utm_medium"] if by is Property.CHANNEL else [])]


def expression(by: Property) -> str:
    """Return the expression that names the rows of a breakdown."""
    match by:
        case Property.SOURCE:
            return sources.name()
        case Property.CHANNEL:
            return sources.channel()
    return COLUMNS[by]


def fitting(filters: Sequence[Filter], named: str = "") -> tuple[str, dict[str, Any]]:
    """Return filters as a condition, and its parameters, whose names begin with `named`."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    channels = [of for of in filters if of.by is Property.CHANNEL]
    if channels:
        conditions.append(sources.of_channels(channels))
    for number, of in enumerate(filters):
        if of.by is Property.CHANNEL:
            continue
        column, tests = COLUMNS[of.by], []
        if of.values:
            values[f"{named}values_{number}"] = of.values
            tests.append(f"{column} IN %({named}values_{number})s")
        for place, pattern in enumerate(of.wildcards):
            values[f"{named}like_{number}_{place}"] = _like(pattern)
            tests.append(f"{column} LIKE %({named}like_{number}_{place})s")
        if of.by is Property.SOURCE:
            more, of_more = sources.named(of, f"{named}{number}")
            tests += more
            values |= of_more
        either = " OR ".join(tests)
        conditions.append(f"NOT ({either})" if of.negated else f"({either})")
    return " AND ".join(conditions) or "1", values


def earlier(until_ms: int | None) -> str:
    """Return the condition for hits before a moment, to append to others; '' when there is none."""
    return "" if until_ms is None else f" AND at < {until_ms:d}"


def _like(pattern: Pattern) -> str:
    return "%".join(re.sub(r"([\\%_])", r"\\\1", piece) for piece in pattern)
