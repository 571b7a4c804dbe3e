"""Opening balances: what a portal brings along from its old counter, as entries of a ledger."""

import asyncio
import datetime
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Annotated, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.audit import Audit
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.counter import paths
from services.api.sites.registry import Registry
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.account import Role
from services.model.calendar import EPOCH, Grain, period_start, to_date, to_day
from services.model.site import Site
from services.store import balances as ledger
from services.store.balances import BalanceEntry as Entry
from services.store.interface import Store, StoreError

MAX_ENTRIES = 100
MAX_COUNT = 10**15
"""The most that entries of one period may add up to; scripts count exactly up to 9·10^15."""
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"
TEXT_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"

T = TypeVar("T")
Count = Annotated[int, Field(strict=True, ge=-MAX_COUNT, le=MAX_COUNT)]

log = logging.getLogger(__name__)


class NewEntry(BaseModel):
    """An entry as an admin writes it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=ID_PATTERN, description="chosen by you; entered twice, it counts once")
    path: str = Field("", max_length=paths.MAX_LENGTH, description="a page; '' is the whole site")
    grain: Grain = Field(description="the number it adds to, and no other")
    start: datetime.date | None = Field(
        None, description="first day of the day, month or year; none for the total"
    )
    views: Count = Field(0, description="below zero to take back")
    visits: Count = Field(0, description="below zero to take back")
    reason: str = Field(min_length=1, max_length=500, pattern=TEXT_PATTERN)


class NewEntries(BaseModel):
    """Entries that are entered together, or not at all."""

    model_config = ConfigDict(extra="forbid")

    entries: list[NewEntry] = Field(min_length=1, max_length=MAX_ENTRIES)


class BalanceOut(BaseModel):
    """An entry of the ledger."""

    id: str
    path: str
    grain: Grain
    start: datetime.date | None
    views: int
    visits: int
    author: str
    at: int = Field(description="when it was entered, milliseconds since 1970, UTC")
    reason: str


class Entered(BaseModel):
    """The entries as the ledger has them, and how many of them are new to it."""

    entries: list[BalanceOut]
    added: int


class BalancePage(BaseModel):
    """A page of the ledger, the oldest entry first, and how many entries there are in all."""

    entries: list[BalanceOut]
    total: int


def router(
    registry: Callable[[], Registry],
    store: Callable[[], Store],
    audit: Callable[[], Audit],
    clock: Callable[[], float] = time.time,
) -> APIRouter:
    """Return the routes; registry, store and audit log are looked up for every request."""
    routes = admin_router("/sites/{slug}/balances")
    # Check and insert are not one step in the store, so one request at a time does them.
    entering = asyncio.Lock()

    known = site_of(registry)

    @routes.get("")
    @needs(Role.VIEWER)
    async def list_balances(
        site: Annotated[Site, Depends(known)],
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> BalancePage:
        """The ledger of a site, the oldest entry first."""
        entries, total = await asyncio.gather(
            _answered(ledger.page(store(), site.slug, offset, limit)),
            _answered(ledger.count(store(), site.slug)),
        )
        return BalancePage(entries=[_out(entry) for entry in entries], total=total)

    @routes.post("", status_code=HTTPStatus.CREATED)
    @needs(Role.EDITOR)
    async def enter_balances(
        site: Annotated[Site, Depends(known)], new: NewEntries, response: Response, who: Who
    ) -> Entered:
        """Enter opening balances; shown within two seconds.

        All of them or none. An id that the ledger has already changes nothing if its content is
        the same (200 when nothing is new), and is refused with 409 if it is another.
        """
        now_ms = int(clock() * 1000)
        today = site.day_of(now_ms)
        requested = [
            _entry(entry, place, site, today, now_ms, who.name)
            for place, entry in enumerate(new.entries)
        ]
        async with entering:
            recorded = await _answered(
                ledger.find(store(), site.slug, {entry.id for entry in requested})
            )
            fresh = _fresh(requested, recorded)
            of_paths = {entry.path for entry in fresh}
            _check_sums(fresh, await _answered(ledger.sums(store(), site.slug, of_paths)))
            if fresh:
                added = {entry.id: msgspec.to_builtins(_out(entry).model_dump()) for entry in fresh}
                async with audit().recorded(
                    who, "balance.add", ", ".join(added), site=site.slug, after=added
                ):
                    await _answered(ledger.add(store(), site.slug, fresh))
        if fresh:
            log.info("%d opening balances entered for %s by %s", len(fresh), site.slug, who.name)
        else:
            response.status_code = HTTPStatus.OK
        entered = recorded | {entry.id: entry for entry in fresh}
        unique = dict.fromkeys(entry.id for entry in requested)
        return Entered(entries=[_out(entered[name]) for name in unique], added=len(fresh))

    @routes.get("/{entry}")
    @needs(Role.VIEWER)
    async def read_balance(
        site: Annotated[Site, Depends(known)],
        entry: Annotated[str, Path(description="the id of an entry")],
    ) -> BalanceOut:
        """One entry of the ledger."""
        entries = await _answered(ledger.find(store(), site.slug, {entry}))
        if entry not in entries:
            message = f"{shown(entry)} is no entry of {site.slug}"
            raise ApiError(HTTPStatus.NOT_FOUND, {"id": message})
        return _out(entries[entry])

    return routes


async def _answered(work: Awaitable[T]) -> T:
    try:
        return await work
    except StoreError as error:
        raise unavailable(f"the ledger cannot be reached: {error}") from error


def _entry(new: NewEntry, place: int, site: Site, today: int, now_ms: int, author: str) -> Entry:
    try:
        path = paths.counted(new.path, site) if new.path else ""
    except ApiError as error:
        raise bad_request(f"entries.{place}.path", error.errors["path"]) from None
    start = _start(new, place, today)
    if not new.views and not new.visits:
        raise bad_request(f"entries.{place}.visits", "0, and views too; expected one of them")
    if new.views * new.visits < 0:
        raise bad_request(
            f"entries.{place}.visits",
            f"{new.visits} with {new.views} views; expected both added, or both taken back",
        )
    return Entry(new.id, path, new.grain, start, new.views, new.visits, author, now_ms, new.reason)


def _start(new: NewEntry, place: int, today: int) -> int:
    field = f"entries.{place}.start"
    if new.grain is Grain.TOTAL:
        if new.start not in (None, EPOCH):
            raise bad_request(field, f"{new.start} for the total; expected no start")
        return 0
    if new.start is None:
        raise bad_request(field, f"missing; expected the first day of the {new.grain}")
    start = to_day(new.start)
    if not 0 <= start <= today:
        raise bad_request(
            field, f"{new.start}; expected a day from {EPOCH} to the site's today, {to_date(today)}"
        )
    first = period_start(start, new.grain)
    if start != first:
        raise bad_request(
            field, f"{new.start} begins no {new.grain}; expected its first day, {to_date(first)}"
        )
    return start


def _fresh(requested: Sequence[Entry], recorded: dict[str, Entry]) -> list[Entry]:
    """Return the entries that are new. Raises ApiError, 409, for an id with other content."""
    fresh: dict[str, Entry] = {}
    for place, entry in enumerate(requested):
        before = recorded.get(entry.id) or fresh.setdefault(entry.id, entry)
        if before._replace(author="", at=0) != entry._replace(author="", at=0):
            differing = [
                name
                for name in ("path", "grain", "start", "views", "visits", "reason")
                if getattr(before, name) != getattr(entry, name)
            ]
            raise ApiError(
                HTTPStatus.CONFLICT,
                {
                    f"entries.{place}.id": f"{shown(entry.id)} was entered before with another"
                    f" {', '.join(differing)}; entries are never edited: take it back with an"
                    " entry of its own, and enter the right one under a new id"
                },
            )
    return list(fresh.values())


def _check_sums(fresh: Sequence[Entry], sums: dict[ledger.Period, tuple[int, int]]) -> None:
    """Raise ApiError, 400, where a period would end below zero or above MAX_COUNT."""
    added: dict[ledger.Period, list[int]] = defaultdict(lambda: [0, 0])
    for entry in fresh:
        added[entry.period][0] += entry.views
        added[entry.period][1] += entry.visits
    for period, counts in added.items():
        path, grain, start = period
        for name, change, before in zip(
            ("views", "visits"), counts, sums.get(period, (0, 0)), strict=True
        ):
            if not 0 <= before + change <= MAX_COUNT:
                when = "" if grain is Grain.TOTAL else f" of {to_date(start)}"
                raise bad_request(
                    "entries",
                    f"{name} of {path or 'the whole site'}, {grain}{when}: the ledger holds"
                    f" {before}, and {change:+} makes {before + change};"
                    f" expected 0 to {MAX_COUNT}",
                )


def _out(entry: Entry) -> BalanceOut:
    start = None if entry.grain is Grain.TOTAL else to_date(entry.start)
    return BalanceOut(**entry._asdict() | {"start": start})
