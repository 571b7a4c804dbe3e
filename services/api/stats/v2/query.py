"""A checked query of version 2: its version 1 equivalent, and how its rows are arranged."""

from collections.abc import Sequence

import msgspec

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import APART, Measure
from services.api.stats.grammar.query import (
    BreakdownQuery,
    StatsQuery,
    parse_breakdown,
    parse_query,
)
from services.api.stats.periods.comparison import Comparison, against
from services.api.stats.periods.spans import Interval, Span, interval_of
from services.api.stats.v2 import filters
from services.api.stats.v2.dates import Range, range_of, written
from services.api.stats.v2.schema import MAX_ROWS, TIMES, ComparedWith, QueryBody
from services.http.errors import ApiError, bad_request, shown
from services.model.site import Site

_EVENTS = "events"
"""Plausible counts a view as an event; there are no other events here."""
_DIRECTIONS = ("asc", "desc")
_OF_HOURS = frozenset({Measure.PAGEVIEWS, Measure.VISITS, Measure.BOTS, *APART})
"""The measures that are the sum of their hours; visits are not with a filter by page."""


class Order(msgspec.Struct, frozen=True):
    """What rows are ordered by: a column, or their dimension if that is None."""

    column: int | None
    descending: bool


class CheckedQuery(msgspec.Struct, frozen=True):
    """A query that can be answered.

    asked     the equivalent query of version 1
    columns   the metrics in order, possibly repeated
    interval  of its rows, if these are by time
    rows      which values, if its rows are those of a property
    before    the days to compare with
    """

    body: QueryBody
    asked: StatsQuery
    columns: tuple[Measure, ...]
    range: Range
    order: tuple[Order, ...]
    interval: Interval | None = None
    rows: BreakdownQuery | None = None
    before: Span | None = None

    @property
    def limit(self) -> int:
        """How many rows are answered at most."""
        return self.body.pagination.limit

    @property
    def offset(self) -> int:
        """How many rows are skipped before these."""
        return self.body.pagination.offset

    def understood(self) -> dict[str, object]:
        """Return the query as it was understood."""
        order = [
            [
                self.body.dimensions[0] if by.column is None else self.body.metrics[by.column],
                _DIRECTIONS[by.descending],
            ]
            for by in self.order
        ]
        return {
            **self.body.model_dump(exclude={"date_range", "order_by", "include"}),
            "date_range": written(self.range, self.asked.site),
            "order_by": order,
            "include": self.body.include.model_dump(exclude_none=True),
        }


def checked(body: QueryBody, site: Site, today: int, since: int | None) -> CheckedQuery:
    """Check a query.

    since  the first day that was counted; None when none was

    Raises ApiError, which names the field, for what is wrong and for what cannot be answered.
    """
    columns = tuple(_measure(name) for name in body.metrics)
    days = range_of(body.date_range, site, today, since)
    question = parse_query(
        site,
        today,
        period=days.period,
        dates=days.dates,
        metrics=",".join(dict.fromkeys(columns)),
        filters=filters.text_of(body.filters),
        since=since,
    )
    by, interval, rows = _dimension(body.dimensions), None, None
    if by in TIMES:
        interval = _interval(by, days)
    elif by:
        rows = parse_breakdown(question, by, None, None)
    order = _order(body, is_time=interval is not None)
    if rows is not None:
        rows = msgspec.structs.replace(rows, limit=_as_many(body, order))
        first = order[0].column
        if first is not None:
            # The store orders the rows by the first measure.
            measures = dict.fromkeys((columns[first], *question.measures))
            question = msgspec.structs.replace(question, measures=tuple(measures))
    if days.hours is not None:
        _in_hours(question, columns, interval, rows)
    before = _compared(body.include.comparisons, days, interval, today)
    return CheckedQuery(body, question, columns, days, order, interval, rows, before)


def _measure(name: str) -> Measure:
    try:
        return Measure.PAGEVIEWS if name == _EVENTS else Measure(name)
    except ValueError:
        expected = ", ".join((*Measure, _EVENTS))
        raise bad_request(
            "metrics", f"{shown(name)} is not measured; expected some of {expected}"
        ) from None


def _dimension(names: Sequence[str]) -> str:
    if len(names) > 1:
        raise bad_request(
            "dimensions", f"{len(names)} of them cannot be answered at once; expected one, or none"
        )
    known = (*TIMES, *Property)
    if names and names[0] not in known:
        expected = ", ".join(known)
        raise bad_request("dimensions", f"{shown(names[0])}; expected one of {expected}")
    return names[0] if names else ""


def _interval(by: str, days: Range) -> Interval:
    _, _, name = by.partition(":")
    if not name and days.hours is not None:
        return Interval.HOUR
    try:
        return interval_of(name or None, days.period, days.span)
    except ApiError as error:
        raise bad_request("dimensions", error.errors["interval"]) from None


def _order(body: QueryBody, *, is_time: bool) -> tuple[Order, ...]:
    if not body.order_by:
        return (Order(None, False),) if is_time else (Order(0, True),)
    order = []
    for name, direction in body.order_by:
        if direction not in _DIRECTIONS:
            raise bad_request("order_by", f"{shown(direction)}; expected asc or desc")
        if name in body.metrics:
            order.append(Order(body.metrics.index(name), direction == "desc"))
        elif name in body.dimensions:
            order.append(Order(None, direction == "desc"))
        else:
            expected = ", ".join((*body.metrics, *body.dimensions))
            raise bad_request("order_by", f"{shown(name)}; expected one of {expected}")
    return tuple(order)


def _as_many(body: QueryBody, order: Sequence[Order]) -> int:
    """Return how many rows of a property must be read."""
    is_stores = order[0].column is not None and order[0].descending and len(order) == 1
    if body.include.total_rows or not is_stores:
        return MAX_ROWS
    return min(MAX_ROWS, body.pagination.offset + body.pagination.limit)


def _in_hours(
    asked: StatsQuery,
    columns: Sequence[Measure],
    interval: Interval | None,
    rows: BreakdownQuery | None,
) -> None:
    if interval is Interval.HOUR:
        return
    if interval is not None or rows is not None:
        raise bad_request(
            "date_range", "parts of days are answered by time:hour, or as one row; expected days"
        )
    # A visit that sees a page in two hours is one of each.
    adding_up = _OF_HOURS - {Measure.VISITS} if asked.of_pages else _OF_HOURS
    for measure in columns:
        if measure not in adding_up:
            expected = ", ".join(sorted(adding_up))
            of = " with a filter by event:page" if measure in _OF_HOURS else ""
            raise bad_request(
                "metrics",
                f"{measure} of parts of days{of} is answered by time:hour alone; expected days, or"
                f" some of {expected}",
            )


def _compared(
    given: ComparedWith | None, days: Range, interval: Interval | None, today: int
) -> Span | None:
    if given is None:
        return None
    name = "include.comparisons"
    if interval is not None or days.hours is not None:
        raise bad_request(name, "rows of time are not compared; expected a query for each period")
    if given.mode != "custom":
        return against(Comparison(given.mode), days.period, days.span, today)
    if given.date_range is None:
        raise bad_request(f"{name}.date_range", "missing; expected two dates")
    try:
        return against(",".join(given.date_range), days.period, days.span, today)
    except ApiError as error:
        raise bad_request(f"{name}.date_range", error.errors["compare"]) from None
