"""Annotations: what happened on a day of a site, for whoever wonders about its numbers later."""

import datetime
import secrets
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.http.errors import ApiError, Translatable, bad_request, shown, unavailable
from services.model.calendar import to_date, to_day
from services.model.site import Site
from services.store.interface import Store, StoreError
from services.store.records import annotations
from services.store.records.annotations import Annotation

MAX_TEXT = 300
MOST_OF_A_SITE = 2000
FIRST_DAY = to_day(datetime.date(2000, 1, 1))
DAYS_AHEAD = 366
"""How far in the future a day may be: plans may be noted."""
_ID_BYTES = 6


class Annotations:
    """The annotations of every site; every change of one is in the audit log."""

    def __init__(self, store: Store, audit: Audit, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def between(self, site: Site, first: int, last: int) -> list[Annotation]:
        """Return those on some days, in days since 1970, by day. Raises ApiError, 503."""
        try:
            return await annotations.load(self._store, site.kept_as, first, last, MOST_OF_A_SITE)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    async def all(self, site: Site) -> list[Annotation]:
        """Return all of a site, by day. Raises ApiError, 503."""
        return await self.between(site, FIRST_DAY, self._last_day(site))

    async def write(self, who: Principal, site: Site, day: int, text: str) -> Annotation:
        """Write one. Raises ApiError: 400 for a day out of range, 409 at 2,000 per site."""
        self._check_day(site, day)
        if len(await self.all(site)) >= MOST_OF_A_SITE:
            message = Translatable(
                f"{site.slug} has {MOST_OF_A_SITE} annotations; remove one first",
                "notes.too_many",
                count=MOST_OF_A_SITE,
            )
            raise ApiError(HTTPStatus.CONFLICT, {"text": message})
        now = int(self._clock() * 1000)
        written = Annotation(
            site.kept_as, secrets.token_hex(_ID_BYTES), now, 0, day, text, who.name, now
        )
        async with self._audit.recorded(
            who, "annotation.add", written.id, site=site.slug, after=_fields(written)
        ):
            await self._save(written)
        return written

    async def change(
        self, who: Principal, site: Site, id_: str, day: int | None, text: str | None
    ) -> Annotation:
        """Change day or text, if given; its author stays. Raises ApiError, 404 if unknown."""
        before = await self._known(site, id_)
        after = before._replace(
            day=before.day if day is None else day,
            text=before.text if text is None else text,
            version=self._next(before),
        )
        if _fields(before) == _fields(after):
            return before
        self._check_day(site, after.day)
        async with self._audit.recorded(
            who,
            "annotation.edit",
            id_,
            site=site.slug,
            before=_fields(before),
            after=_fields(after),
        ):
            await self._save(after)
        return after

    async def remove(self, who: Principal, site: Site, id_: str) -> None:
        """Remove one. Raises ApiError, 404 if the site has none with this id."""
        known = await self._known(site, id_)
        gone = known._replace(version=self._next(known), deleted=1, text="")
        async with self._audit.recorded(
            who, "annotation.remove", id_, site=site.slug, before=_fields(known)
        ):
            await self._save(gone)

    def _next(self, known: Annotation) -> int:
        return max(known.version + 1, int(self._clock() * 1000))

    def _last_day(self, site: Site) -> int:
        return site.day_of(int(self._clock() * 1000)) + DAYS_AHEAD

    def _check_day(self, site: Site, day: int) -> None:
        last = self._last_day(site)
        if not FIRST_DAY <= day <= last:
            first = to_date(FIRST_DAY)
            message = f"{to_date(day)}; expected a day from {first} to {to_date(last)}"
            raise bad_request("day", message)

    async def _known(self, site: Site, id_: str) -> Annotation:
        known = next((one for one in await self.all(site) if one.id == id_), None)
        if known is None:
            message = f"{shown(id_)} is no annotation of {site.slug}"
            raise ApiError(HTTPStatus.NOT_FOUND, {"id": message})
        return known

    async def _save(self, annotation: Annotation) -> None:
        try:
            await annotations.save(self._store, annotation)
        except StoreError as error:
            raise unavailable(f"the store did not take the change: {error}") from error


def days_of(written: Sequence[Annotation], starts: Sequence[int], end: int) -> list[list[str]]:
    """Return the texts for each step of a chart.

    starts  the first day of each step, ascending
    end     the last day of the last one
    """
    texts: list[list[str]] = [[] for _ in starts]
    for one in written:
        place = max((at for at, start in enumerate(starts) if start <= one.day), default=-1)
        if place >= 0 and one.day <= end:
            texts[place].append(one.text)
    return texts


def _fields(annotation: Annotation) -> dict[str, str]:
    return {"day": to_date(annotation.day).isoformat(), "text": annotation.text}
