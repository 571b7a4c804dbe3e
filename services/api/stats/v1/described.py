"""What the answers look like, for the OpenAPI description."""

from typing import Any

from pydantic import BaseModel

from services.api.stats.grammar.measures import Measure

MEASURES = tuple(Measure)

_CSV = {"text/csv": {"schema": {"type": "string"}}}


class Compared(BaseModel):
    """A value, and its change from the previous period where that was asked for."""

    value: float | None
    change: float | None = None


class Aggregate(BaseModel):
    """One value a metric."""

    results: dict[Measure, Compared]
    warnings: list[str] = []


class Counted(BaseModel):
    """The metrics that were asked for."""

    visitors: int | None = None
    visits: int | None = None
    pageviews: int | None = None
    views_per_visit: float | None = None
    bounce_rate: int | None = None
    visit_duration: int | None = None
    bots: int | None = None
    downloads: int | None = None
    not_found: int | None = None
    searches: int | None = None
    outbound_links: int | None = None


class Moment(Counted):
    """The metrics of an interval, which `date` begins."""

    date: str


class Timeseries(BaseModel):
    """A row an interval."""

    results: list[Moment]
    warnings: list[str] = []


class Value(Counted):
    """The metrics of one value of the property."""

    page: str | None = None
    hostname: str | None = None
    source: str | None = None
    channel: str | None = None
    referrer: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None
    country: str | None = None
    region: str | None = None
    device: str | None = None
    browser: str | None = None
    os: str | None = None
    entry_page: str | None = None
    exit_page: str | None = None
    title: str | None = None


class Breakdown(BaseModel):
    """A row a value."""

    results: list[Value]
    warnings: list[str] = []


def _answers(model: type[BaseModel], about: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "model": model,
            "description": f"{about}; CSV if the client prefers it",
            "content": _CSV,
        }
    }


AGGREGATE = _answers(Aggregate, "One value a metric")
TIMESERIES = _answers(Timeseries, "A row an interval")
BREAKDOWN = _answers(Breakdown, "A row a value")
ONLINE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The number",
        "content": {"application/json": {"schema": {"type": "integer", "minimum": 0}}},
    }
}
