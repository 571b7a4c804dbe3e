"""The routes of opening balances: what a portal brings along from its old counter."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from services.api.access.fields import Flag
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.sites.balances import checks
from services.api.sites.balances.schemas import (
    BULK_ID_PATTERN,
    TEXT_PATTERN,
    BalanceOut,
    BalancePage,
    BulkEntered,
    BulkOut,
    Entered,
    NewEntries,
    RefusedLine,
    WhyReversed,
)
from services.api.sites.balances.service import Balances, Bulk
from services.api.sites.balances.sheet import MAX_BYTES
from services.api.sites.balances.table import require_whole
from services.api.sites.registry import Registry
from services.http.errors import ApiError, shown
from services.model.account import Role
from services.model.calendar import Grain, to_date
from services.model.site import Site

MAX_REFUSED = 100
"""The most refused lines that an answer lists."""

_FILE = {
    "requestBody": {
        "required": True,
        "description": "a table, CSV or XLSX, whose first line names its columns",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def router(registry: Callable[[], Registry], balances: Callable[[], Balances]) -> APIRouter:
    """Return the routes; the arguments are called for every request."""
    routes = admin_router("/sites/{slug}/balances")

    known = site_of(registry)

    @routes.get("")
    @needs(Role.VIEWER)
    async def list_balances(
        site: Annotated[Site, Depends(known)],
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> BalancePage:
        """The ledger of a site, the oldest entry first; a bulk entry is one line."""
        lines, total = await balances().page(site, offset, limit)
        return BalancePage(entries=[checks.line_out(line) for line in lines], total=total)

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.EDITOR)
    async def enter_balances(
        site: Annotated[Site, Depends(known)], new: NewEntries, response: Response, who: Who
    ) -> Entered:
        """Enter opening balances; shown within two seconds.

        All of them or none. An id that the ledger has already changes nothing if its content is
        the same (200 when nothing is new), and is refused with 409 if it is another.
        """
        entries, added = await balances().enter(who, site, new.entries)
        if not added:
            response.status_code = HTTPStatus.OK
        return Entered(entries=[checks.out(entry) for entry in entries], added=added)

    @routes.post("/bulk", status_code=HTTPStatus.CREATED, openapi_extra=_FILE)
    @needs(Role.EDITOR, body=MAX_BYTES)
    async def enter_bulk(
        request: Request,
        response: Response,
        site: Annotated[Site, Depends(known)],
        who: Who,
        name: Annotated[
            str,
            Query(alias="id", pattern=BULK_ID_PATTERN, description="entered twice, it counts once"),
        ],
        reason: Annotated[str, Query(min_length=1, max_length=500, pattern=TEXT_PATTERN)],
        dry_run: Annotated[
            Flag, Query(description="read and check everything, enter nothing")
        ] = False,
        skip_refused: Annotated[Flag, Query(description="enter the lines that can be")] = False,
    ) -> BulkEntered:
        """Enter the numbers of a file as one: views of many pages, or the counts of many days.

        All of it or nothing, and nothing where a line is refused. An id that the ledger has
        already changes nothing if its content is the same (200), and is refused with 409 if it
        is another.
        """
        table = await balances().read(site, await request.body())
        if not dry_run:
            require_whole(table, skip_refused=skip_refused)
        bulk = await balances().enter_bulk(who, site, name, table, reason, dry_run=dry_run)
        if dry_run or not bulk.is_new:
            response.status_code = HTTPStatus.OK
        return BulkEntered(
            **_bulk(bulk).model_dump(),
            dry_run=dry_run,
            format=table.kind,
            lines_read=table.lines,
            empty=table.empty,
            joined=table.joined,
            ignored=table.ignored,
            refused=len(table.refused),
            refused_lines=[
                RefusedLine(line=line, why=why) for line, why in table.refused[:MAX_REFUSED]
            ],
        )

    @routes.get("/bulk/{bulk}")
    @needs(Role.VIEWER)
    async def read_bulk(
        site: Annotated[Site, Depends(known)],
        bulk: Annotated[str, Path(description="the id of a bulk entry")],
    ) -> BulkOut:
        """One bulk entry, and whether it was taken back."""
        entered = await balances().bulk(site, bulk)
        if entered is None:
            message = f"{shown(bulk)} is no bulk entry of {site.slug}"
            raise ApiError(HTTPStatus.NOT_FOUND, {"id": message})
        return _bulk(entered)

    @routes.post("/bulk/{bulk}/reverse")
    @needs(Role.EDITOR)
    async def reverse_bulk(
        site: Annotated[Site, Depends(known)],
        bulk: Annotated[str, Path(description="the id of a bulk entry")],
        why: WhyReversed,
        who: Who,
    ) -> BulkOut:
        """Take a bulk entry back as one, with an entry of its own; twice is once."""
        return _bulk(await balances().reverse_bulk(who, site, bulk, why.reason))

    @routes.get("/{entry}")
    @needs(Role.VIEWER)
    async def read_balance(
        site: Annotated[Site, Depends(known)],
        entry: Annotated[str, Path(description="the id of an entry")],
    ) -> BalanceOut:
        """One entry of the ledger."""
        balance = await balances().find(site, entry)
        if balance is None:
            message = f"{shown(entry)} is no entry of {site.slug}"
            raise ApiError(HTTPStatus.NOT_FOUND, {"id": message})
        return checks.out(balance)

    return routes


def _bulk(bulk: Bulk) -> BulkOut:
    entries = bulk.entries.values()
    days = [one.start for one in entries if one.grain is Grain.DAY]
    return BulkOut(
        id=bulk.id,
        lines=len(bulk.entries),
        views=sum(one.views for one in entries),
        visits=sum(one.visits for one in entries),
        first=to_date(min(days)) if days else None,
        last=to_date(max(days)) if days else None,
        added=bulk.is_new,
        reversed=bulk.is_reversed,
    )
