"""The peak of a day, which can be reset: then it is recounted from the views that are left."""

import asyncio
import datetime
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.counter import queries
from services.api.sites.corrections.schemas import WhyFields
from services.api.sites.registry import Registry
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.account import Role
from services.model.calendar import to_date, to_day
from services.model.site import Site
from services.store.counts import peaks
from services.store.counts.peaks import PeakReset
from services.store.interface import Store, StoreError

T = TypeVar("T")


class PeakOut(BaseModel):
    """The peak of a day, as measured and as counted again from the views that are left."""

    day: datetime.date
    measured: int
    recounted: int = Field(description="most visitors of five minutes, to the minute")
    reset: bool = Field(description="whether the recount is shown instead of what was measured")


class Peaks:
    """Reads and resets the peaks of every site."""

    def __init__(self, store: Store, audit: Audit, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    def today(self, site: Site) -> int:
        """Return the site's current day."""
        return site.day_of(int(self._clock() * 1000))

    async def read(self, site: Site, day: int) -> PeakOut:
        """Return the peak of a day. Raises ApiError."""
        (measured, resets), recounted = await _answered(
            asyncio.gather(
                queries.peaks(self._store, [site.kept_as], [day]),
                peaks.recount(self._store, site.kept_as, day),
            )
        )
        peak = measured.get((site.kept_as, day))
        return PeakOut(
            day=to_date(day),
            measured=peak.online if peak else 0,
            recounted=recounted[0] if recounted else 0,
            reset=(site.kept_as, day) in resets,
        )

    async def change(
        self, who: Principal, site: Site, day: int, reason: str, *, reset: bool
    ) -> PeakOut:
        """Reset a peak, or return to the measured one. Raises ApiError."""
        before = await self.read(site, day)
        if before.reset == reset:
            return before
        if reset and not before.measured:
            message = f"{site.slug} has no peak on {to_date(day)}; there is nothing to reset"
            raise ApiError(HTTPStatus.NOT_FOUND, {"day": message})
        change = PeakReset(day, int(self._clock() * 1000), int(reset), who.name, reason)
        after = before.model_copy(update={"reset": reset})
        async with self._audit.recorded(
            who,
            "peak.reset" if reset else "peak.restore",
            before.day.isoformat(),
            site=site.slug,
            before={"peak": _shown(before)},
            after={"peak": _shown(after), "reason": reason},
        ):
            await _answered(peaks.reset(self._store, site.kept_as, change))
        return after


def router(registry: Callable[[], Registry], of: Callable[[], Peaks]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/sites/{slug}/peaks/{day}")
    known = site_of(registry)

    def day_of(
        site: Annotated[Site, Depends(known)],
        day: Annotated[str, Path(description="a date such as 2024-01-31, or today")],
    ) -> int:
        today = of().today(site)
        try:
            requested = today if day == "today" else to_day(datetime.date.fromisoformat(day))
        except ValueError:
            requested = -1
        if not 0 <= requested <= today:
            raise bad_request(
                "day", f"{shown(day)}; expected a date such as {to_date(today)}, none to come"
            )
        return requested

    @routes.get("")
    @needs(Role.VIEWER)
    async def read_peak(
        site: Annotated[Site, Depends(known)], day: Annotated[int, Depends(day_of)]
    ) -> PeakOut:
        """The peak of a day, and what it is without the views that were taken back."""
        return await of().read(site, day)

    @routes.post("/reset")
    @needs(Role.EDITOR)
    async def reset_peak(
        site: Annotated[Site, Depends(known)],
        day: Annotated[int, Depends(day_of)],
        why: WhyFields,
        who: Who,
    ) -> PeakOut:
        """Show the peak as counted again from the views that are left; twice is once."""
        return await of().change(who, site, day, why.reason, reset=True)

    @routes.post("/restore")
    @needs(Role.EDITOR)
    async def restore_peak(
        site: Annotated[Site, Depends(known)],
        day: Annotated[int, Depends(day_of)],
        why: WhyFields,
        who: Who,
    ) -> PeakOut:
        """Show the peak again as it was measured."""
        return await of().change(who, site, day, why.reason, reset=False)

    return routes


def _shown(peak: PeakOut) -> int:
    return peak.recounted if peak.reset else peak.measured


async def _answered(work: Awaitable[T]) -> T:
    try:
        return await work
    except StoreError as error:
        raise unavailable(f"the store cannot be read: {error}") from error
