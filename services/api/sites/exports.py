"""Exports what a site has: raw hits and counters as CSV, page by page."""

import csv
import datetime
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response

from services.api.access.route import admin_router, needs, site_of
from services.api.sites.limited_store import LimitedStore
from services.api.sites.registry import Registry
from services.http.errors import bad_request, shown
from services.model.account import Role
from services.model.calendar import Grain, to_day
from services.model.site import Site
from services.store.dumps import exports
from services.store.dumps.exports import HitKey, PeriodKey
from services.store.interface import Limits, Store

NEXT = "X-Luot-Next"
MOST_ROWS = 50_000
"""The limit of one answer; it is built in memory."""
LIMITS = Limits(calls=1, threads=2, seconds=25, bytes=400_000_000)
_LAST_DAY = to_day(datetime.date(2105, 12, 31))

_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"CSV with a header; `{NEXT}` says what `after` is for the next page, and is"
        " missing on the last one. A page may have no rows.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}

Rows = Annotated[int, Query(ge=1, le=MOST_ROWS, description="rows of a page, at most")]
After = Annotated[str, Query(max_length=4096, description=f"`{NEXT}` of the page before")]
Day = Annotated[datetime.date | None, Query(description="a day of the site's calendar")]


def router(registry: Callable[[], Registry], store: Callable[[], Store]) -> APIRouter:
    """Return the routes; registry and store are looked up for every request."""
    routes = admin_router("/sites/{slug}/export")
    limited_store = LimitedStore(store, LIMITS, "the store cannot be read")
    known = site_of(registry)

    @routes.get("/hits", response_class=Response, responses=_CSV)
    @needs(Role.EDITOR)
    async def export_hits(
        site: Annotated[Site, Depends(known)],
        first: Annotated[Day, Query(alias="from")] = None,
        to: Day = None,
        after: After = "",
        limit: Rows = MOST_ROWS,
    ) -> Response:
        """Raw hits as they are stored, bots too, by day and in the order of the log."""
        begin = _hit_key(after) if after else HitKey(_day("from", first, 0))
        async with limited_store.opened() as limited:
            rows, following = await exports.hits(
                limited, site.kept_as, begin, _day("to", to, _LAST_DAY), limit
            )
        return _answer(exports.HIT_COLUMNS, rows, following)

    @routes.get("/counters", response_class=Response, responses=_CSV)
    @needs(Role.EDITOR)
    async def export_counters(
        site: Annotated[Site, Depends(known)], after: After = "", limit: Rows = MOST_ROWS
    ) -> Response:
        """Views and visits of every page and period, as counted; an empty path is the site."""
        begin = _period_key(after) if after else PeriodKey(next(iter(Grain)))
        async with limited_store.opened() as limited:
            rows, following = await exports.counters(limited, site.kept_as, begin, limit)
        return _answer(exports.COUNTER_COLUMNS, rows, following)

    return routes


def _answer(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], following: Sequence[Any] | None
) -> Response:
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n")
    write.writerow(columns)
    write.writerows(rows)
    headers = {"Cache-Control": "no-store"}
    if following is not None:
        headers[NEXT] = quote("~".join(map(str, following)), safe="~")
    return Response(text.getvalue(), media_type="text/csv", headers=headers)


def _day(name: str, date: datetime.date | None, otherwise: int) -> int:
    day = otherwise if date is None else to_day(date)
    if not 0 <= day <= _LAST_DAY:
        raise bad_request(name, f"{date}; expected a day from 1970 to 2105")
    return day


def _hit_key(after: str) -> HitKey:
    parts = after.split("~")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise _no_cursor(after)
    day, position, idx = map(int, parts)
    if day > _LAST_DAY or position >= 1 << 64 or idx >= 1 << 16:
        raise _no_cursor(after)
    return HitKey(day, position, idx)


def _period_key(after: str) -> PeriodKey:
    grain, _, rest = after.partition("~")
    start, _, path = rest.partition("~")
    if grain not in list(Grain) or not (start.isascii() and start.isdigit()):
        raise _no_cursor(after)
    if int(start) > _LAST_DAY:
        raise _no_cursor(after)
    return PeriodKey(Grain(grain), int(start), path)


def _no_cursor(after: str) -> Exception:
    return bad_request("after", f"{shown(after)}; expected {NEXT} of the page before")
