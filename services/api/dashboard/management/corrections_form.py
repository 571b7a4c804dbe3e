"""The form that finds views to correct: a field for each property, named as in the dashboard."""

from datetime import UTC, datetime
from typing import Any

from services.api.dashboard.requests.forms import whole_number
from services.api.dashboard.requests.page_request import PageRequest
from services.api.stats.grammar.site_query import FIELDS, filters_of, values_of
from services.model.calendar import to_date, zone

_MINUTE = "%Y-%m-%dT%H:%M"


class CorrectionForm:
    """What somebody typed, or what the URL or another page filled in.

    values    by the name of a property: alternatives separated by |, any text as *
    other     filters that no field can express, in the filter syntax
    is_asked  whether the URL asks for a preview
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
        """Return the form as the URL fills it in; its `filters` are those of a site's page."""
        values, other = values_of(page.parameter("filters"))
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
        """Return the form that finds the same views as a query."""
        values, other = values_of(filters)
        return cls(
            _local(page, since),
            _local(page, until),
            values,
            other,
            "" if more_than == "0" else more_than,
            is_asked=False,
        )

    def query(self) -> dict[str, Any]:
        """Return the query as the admin API takes it, not yet validated."""
        count = whole_number(self.more_than)
        return {
            "from": self.since,
            "to": self.until or None,
            "filters": filters_of(self.values, self.other),
            "more_than": (self.more_than or 0) if count is None else count,
        }


def _today(page: PageRequest) -> str:
    return f"{to_date(page.dependencies.peaks.today(page.site)).isoformat()}T00:00"


def _local(page: PageRequest, text: str) -> str:
    """Return a time in the site's time zone, for a form field."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is None:
        return text
    zone_name = page.site.zone_at(int(at.astimezone(UTC).timestamp() * 1000))
    return at.astimezone(zone(zone_name)).strftime(_MINUTE)
