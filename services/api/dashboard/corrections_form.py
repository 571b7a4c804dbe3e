"""The form by which views are found: one field a property, in the words of the dashboard."""

from datetime import UTC, datetime
from typing import Any

from services.api.dashboard.page_request import PageRequest
from services.api.stats.filters import Filter, Property, parse
from services.http.errors import ApiError
from services.model.calendar import to_date, zone

FIELDS = tuple(by.field for by in Property)
_BY_FIELD = {by.field: by for by in Property}
_MINUTE = "%Y-%m-%dT%H:%M"


class CorrectionForm:
    """What somebody typed, or what the address or another page says.

    values    by the name of a property: alternatives with |, any text as *
    other     filters that no field can say, in their grammar
    is_asked  whether the address asks for a preview
    """

    def __init__(
        self,
        since: str,
        until: str,
        values: dict[str, str],
        other: str,
        more_than: str,
        *,
        is_asked: bool,
    ) -> None:
        self.since = since
        self.until = until
        self.values = values
        self.other = other
        self.more_than = more_than
        self.is_asked = is_asked

    @classmethod
    def of_address(cls, page: PageRequest) -> "CorrectionForm":
        """Return the form that the address fills in; `filters` are those of a site's page."""
        values, other = _split(page.parameter("filters"))
        values |= {name: text for name in FIELDS if (text := page.parameter(name).strip())}
        return cls(
            page.parameter("from").strip() or _today(page),
            page.parameter("to").strip(),
            values,
            page.parameter("other", other).strip(),
            page.parameter("more_than").strip(),
            is_asked=bool(page.parameter("look")),
        )

    @classmethod
    def of_query(
        cls, page: PageRequest, since: str, until: str, filters: str, more_than: str
    ) -> "CorrectionForm":
        """Return the form that finds what a query finds."""
        values, other = _split(filters)
        return cls(
            _local(page, since),
            _local(page, until),
            values,
            other,
            "" if more_than == "0" else more_than,
            is_asked=False,
        )

    def query(self) -> dict[str, Any]:
        """Return what the administration takes, not yet checked."""
        terms = [
            f"{by}=={_escaped(text)}"
            for name, by in _BY_FIELD.items()
            if (text := self.values.get(name))
        ]
        count = self.more_than
        return {
            "from": self.since,
            "to": self.until or None,
            "filters": ";".join([*terms, *([self.other] if self.other else [])]),
            "more_than": int(count) if count.isascii() and count.isdecimal() else count or 0,
        }


def _escaped(text: str) -> str:
    return text.replace(";", "\\;")


def _split(text: str) -> tuple[dict[str, str], str]:
    """Return the filters that a field can say, by its name, and the others."""
    try:
        filters = parse(text)
    except ApiError:
        return {}, text
    values: dict[str, str] = {}
    others: list[Filter] = []
    for one in filters:
        if one.negated or one.by.field in values:
            others.append(one)
        else:
            written = str(one).partition("==")[2]
            values[one.by.field] = written.replace("\\;", ";")
    return values, ";".join(map(str, others))


def _today(page: PageRequest) -> str:
    return f"{to_date(page.dependencies.peaks.today(page.site)).isoformat()}T00:00"


def _local(page: PageRequest, text: str) -> str:
    """Return a time as the site's clocks show it, for a field."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is None:
        return text
    zone_name = page.site.zone_at(int(at.astimezone(UTC).timestamp() * 1000))
    return at.astimezone(zone(zone_name)).strftime(_MINUTE)
