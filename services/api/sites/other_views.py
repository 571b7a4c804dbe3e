"""Views under `(other)`: which pages they belong to, and giving them back to these."""

import datetime
import logging
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from services.api.access.audit import Audit
from services.api.access.route import Who, admin_router, needs, site_of
from services.api.counter import paths
from services.api.sites.limited_store import LimitedStore
from services.api.sites.registry import Registry
from services.http.errors import bad_request
from services.model.account import Role
from services.model.calendar import to_day
from services.model.site import Site
from services.store.counts import returned_views
from services.store.interface import Limits, Store

MOST_PAGES = 1_000
"""The most pages listed at once."""
MOST_AT_ONCE = 100
"""The most pages of one repair: the rows of a flood must not get into the store by mistake."""
LIMITS = Limits(calls=1, threads=2, seconds=25, bytes=400_000_000)
_LAST_DAY = (1 << 16) - 1

log = logging.getLogger(__name__)

Name = Annotated[str, Field(max_length=paths.MAX_LENGTH)]


class OtherPage(BaseModel):
    """A page with views of a day under `(other)`."""

    path: str
    views: int = Field(description="human views of the day that were counted under `(other)`")
    visits: int
    readers: int = Field(description="visitors that they are of")
    waiting: int = Field(description="how many of the views are not given back")


class OtherPages(BaseModel):
    """Pages with views under `(other)`, those with the most views first."""

    day: datetime.date
    pages: list[OtherPage]


class Repair(BaseModel):
    """Which views are given back, or taken again."""

    model_config = ConfigDict(extra="forbid")

    day: datetime.date = Field(description="a day of the site's calendar")
    paths: list[Name] = Field(min_length=1, max_length=MOST_AT_ONCE)
    undo: StrictBool = Field(False, description="count them under `(other)` again")


class Repaired(BaseModel):
    """The views that each page has back from `(other)`, of one day."""

    day: datetime.date
    views: dict[str, int]


def router(
    registry: Callable[[], Registry], store: Callable[[], Store], audit: Callable[[], Audit]
) -> APIRouter:
    """Return the routes; registry, store and audit log are looked up for every request."""
    routes = admin_router("/sites/{slug}/other-views")
    limited_store = LimitedStore(store, LIMITS, "the raw hits cannot be reached")
    known = site_of(registry)

    @routes.get("")
    @needs(Role.VIEWER)
    async def list_other_views(
        site: Annotated[Site, Depends(known)],
        day: Annotated[datetime.date, Query(description="a day of the site's calendar")],
        path: Annotated[
            list[Name] | None, Query(description="of these pages", max_length=MOST_AT_ONCE)
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_PAGES)] = MOST_PAGES,
    ) -> OtherPages:
        """Pages with views under `(other)`: those named, or else those that count by now."""
        of_day, named = _day(day), _counted(path or [], site)
        async with limited_store.opened() as limited:
            pages = await returned_views.waiting(limited, site.kept_as, of_day, named, most=limit)
        return OtherPages(day=day, pages=[OtherPage(**page._asdict()) for page in pages])

    @routes.post("")
    @needs(Role.EDITOR)
    async def give_views_back(
        site: Annotated[Site, Depends(known)], repair: Repair, who: Who
    ) -> Repaired:
        """Count the views of a day under their own pages; the same twice changes nothing."""
        of_day, named = _day(repair.day), _counted(repair.paths, site)
        action = "paths.take" if repair.undo else "paths.give"
        views: dict[str, int] = dict.fromkeys(named, 0)
        async with (
            limited_store.opened() as limited,
            audit().recorded(
                who, action, str(repair.day), site=site.slug, after={"paths": list(named)}
            ),
        ):
            if repair.undo:
                await returned_views.take_again(limited, site.kept_as, of_day, named)
            else:
                views |= await returned_views.give_back(limited, site.kept_as, of_day, named)
        log.info("%s: %s for %d pages of %s", site.slug, action, len(named), repair.day)
        return Repaired(day=repair.day, views=views)

    return routes


def _day(date: datetime.date) -> int:
    day = to_day(date)
    if not 0 <= day <= _LAST_DAY:
        raise bad_request("day", f"{date}; expected a day since 1970")
    return day


def _counted(named: Sequence[str], site: Site) -> list[str]:
    return list(dict.fromkeys(paths.counted(path, site) for path in named))
