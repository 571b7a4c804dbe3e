"""What a correction looks for: times, properties of views, visitors with many views."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from services.api.counter.body import iso
from services.api.stats.grammar.filters import Filter, parse
from services.api.stats.periods.spans import Span
from services.http.errors import bad_request, shown
from services.model.calendar import zone
from services.model.site import Site

MAX_DAYS = 366
MAX_WILDCARDS = 5
MAX_FILTERS_LENGTH = 4_000
_MOST_VIEWS = 10**9


class QueryFields(BaseModel):
    """Which views to take back. All conditions hold together."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    since: datetime = Field(
        alias="from",
        description="the first moment; a time without an offset is of the site's zone",
    )
    until: datetime | None = Field(
        None, alias="to", description="the moment behind the last; now unless given"
    )
    filters: str = Field(
        "",
        max_length=MAX_FILTERS_LENGTH,
        description="as the Stats API has them: event:page==/tin-tuc/*;visit:country!=VN",
    )
    more_than: Annotated[int, Field(strict=True, ge=0, le=_MOST_VIEWS)] = Field(
        0,
        description="only views of visitors with more than so many of these views on one day;"
        " 0 is of all",
    )


class CorrectionQuery(msgspec.Struct, frozen=True):
    """A checked query; times are in ms since 1970, the last one exclusive."""

    since: int
    until: int
    filters: tuple[Filter, ...]
    more_than: int

    def span(self, site: Site) -> Span:
        """Return the days that its views may be on, and one more on either side.

        A view keeps the day on which it was counted, even after a change of the time zone.
        """
        return Span(max(0, site.day_of(self.since) - 1), site.day_of(self.until - 1) + 1)

    def written(self, site: Site) -> dict[str, str | int]:
        """Return the query in canonical form."""
        return {
            "from": _moment(self.since, site),
            "to": _moment(self.until, site),
            "filters": ";".join(map(str, self.filters)),
            "more_than": self.more_than,
        }


def parsed(fields: QueryFields, site: Site, now_ms: int) -> CorrectionQuery:
    """Check a query. Raises ApiError, which names the field."""
    since = _ms(fields.since, site)
    until = now_ms if fields.until is None else min(now_ms, _ms(fields.until, site))
    if since < 0 or since >= until:
        raise bad_request(
            "from",
            f"{shown(fields.since.isoformat())} to {iso(until, site.zone_at(until))};"
            " expected a time before the end, and none to come",
        )
    filters = parse(fields.filters)
    for one in filters:
        for pattern in one.wildcards:
            if len(pattern) - 1 > MAX_WILDCARDS:
                raise bad_request(
                    "filters", f"{shown(str(one))}; expected at most {MAX_WILDCARDS} times *"
                )
    query = CorrectionQuery(since, until, filters, fields.more_than)
    days = query.span(site).days - 2
    if days > MAX_DAYS:
        raise bad_request("from", f"{days} days; expected at most {MAX_DAYS}")
    return query


def _ms(at: datetime, site: Site) -> int:
    try:
        if at.tzinfo is None:
            at = at.replace(tzinfo=zone(site.timezone))
        return int(at.astimezone(UTC).timestamp() * 1000)
    except (OverflowError, ValueError):
        raise bad_request("from", f"{shown(at.isoformat())} is out of range") from None


def _moment(at_ms: int, site: Site) -> str:
    at = site.local(at_ms)
    return at.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")
