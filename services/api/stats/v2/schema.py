"""The schema of queries of version 2 and their answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Value
from services.api.stats.periods.spans import Period

MAX_ROWS = 10_000
"""Only the first this many rows can be read."""

TIMES = ("time", "time:hour", "time:day", "time:week", "time:month")
PERIODS = tuple(period for period in Period if period is not Period.CUSTOM)
DateRange = Annotated[
    Any,
    Field(
        description=f"one of {', '.join(PERIODS)}, or the first and the last of some days, or two"
        " times of RFC 3339 on whole hours of the site",
        json_schema_extra={
            "anyOf": [
                {"type": "string", "enum": list(PERIODS)},
                {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
            ]
        },
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ComparedWith(_Strict):
    """What a period is compared with; `date_range` is needed for custom."""

    mode: Literal["previous_period", "year_over_year", "custom"]
    date_range: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None


class Include(_Strict):
    """What else is wanted.

    imports      taken and ignored: what was imported from logs is among the numbers always
    time_labels  the names of all intervals, also of those without hits, which have no row
    total_rows   how many rows there are on all pages
    comparisons  the same numbers of other days, and the change
    """

    imports: bool = False
    time_labels: bool = False
    total_rows: bool = False
    comparisons: ComparedWith | None = None


class Pagination(_Strict):
    """Which rows: `limit` of them behind the first `offset`."""

    limit: int = Field(default=MAX_ROWS, ge=1, le=MAX_ROWS)
    offset: int = Field(default=0, ge=0, le=MAX_ROWS)


class QueryBody(_Strict):
    """A query.

    site_id     the site's slug, or one of its hosts
    filters     [["is", "visit:country", ["VN"]], …], each of which must hold
    dimensions  none for one row, or one
    """

    site_id: str
    metrics: list[str] = Field(min_length=1, max_length=20)
    date_range: DateRange
    dimensions: list[str] = Field(
        [], max_length=20, description=f"none, or one of {', '.join((*TIMES, *Property))}"
    )
    filters: list[list[Any]] = Field([], max_length=100)
    order_by: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(
        [], max_length=20, description='[["visitors", "desc"]]: metrics and dimensions of the query'
    )
    include: Include = Include()
    pagination: Pagination = Pagination()


class ComparedRow(BaseModel):
    """The same row of the days that were compared with; a change is null where none can be told."""

    dimensions: list[str]
    metrics: list[Value]
    change: list[Value]


class QueryRow(BaseModel):
    """The metrics, and the values of the dimensions, in the order in which they were asked for."""

    metrics: list[Value]
    dimensions: list[str]
    comparison: ComparedRow | None = None


class QueryMeta(BaseModel):
    """What must be said of the numbers, and what `include` asked for."""

    warnings: list[str] = []
    time_labels: list[str] = []
    total_rows: int | None = None


class QueryAnswer(BaseModel):
    """Rows, and the query as it was understood, its dates as times at the site."""

    results: list[QueryRow]
    meta: QueryMeta
    query: dict[str, Any]
