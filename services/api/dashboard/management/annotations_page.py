"""`/admin/sites/{slug}/notes`: annotations on days of a site, and how its chart shows them."""

from collections.abc import Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import NamedTuple

from pydantic import ValidationError
from starlette.responses import Response

from services.api.access.trail import Occasion
from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.traffic.chart import Point
from services.api.sites.annotations.routes import COLUMNS, AnnotationFields, csv_file
from services.api.sites.annotations.service import MAX_TEXT, days_of
from services.api.stats.grammar.site_query import Scope
from services.api.stats.panels.contents import SeriesPoint
from services.api.stats.periods.spans import Interval
from services.http.errors import ApiError
from services.model.calendar import to_date, to_day
from services.store.records.annotations import Annotation


class AnnotationRow(NamedTuple):
    """An annotation as pages show it."""

    id: str
    day: str
    text: str
    author: str


async def annotations(page: PageRequest) -> Response:
    """Return the annotations of a site, latest day first."""
    return await _annotations(page, {})


async def write(page: PageRequest) -> Response:
    """Write one, or return the form with its errors."""
    form = page.form
    try:
        new = AnnotationFields.model_validate({"day": form.get("day"), "text": form.get("text")})
        await page.dependencies.annotations.write(
            page.principal, page.site, to_day(new.day), new.text
        )
    except (ValidationError, ApiError) as error:
        return await _annotations(page, mistakes(error, HTTPStatus.CONFLICT))
    return page.redirect(f"{page.base}/notes", saved=True)


async def remove(page: PageRequest) -> Response:
    """Remove one."""
    id_: str = page.request.path_params["id"]
    await page.dependencies.annotations.remove(page.principal, page.site, id_)
    return page.redirect(f"{page.base}/notes", saved=True)


async def csv(page: PageRequest) -> Response:
    """Return all of them as CSV."""
    who = page.principal.name
    page.dependencies.trail.count(Occasion(who, "export", "annotations", page.site.slug), "files")
    written = await page.dependencies.annotations.all(page.site)
    return csv_file(page.site, written, [page.t(f"notes.{name}") for name in COLUMNS])


async def of_chart(page: PageRequest, scope: Scope) -> list[Annotation]:
    """Return those of a page's days; none for strangers, or while they cannot be read."""
    if not page.is_theirs:
        return []
    span = scope.span
    try:
        return await page.dependencies.annotations.between(page.site, span.first, span.last)
    except ApiError:
        return []


def noted(
    points: Sequence[Point],
    series: Sequence[SeriesPoint],
    written: Sequence[Annotation],
    scope: Scope,
) -> list[Point]:
    """Return the points of a chart with the annotations on their days."""
    if not written or scope.interval is Interval.HOUR:
        return list(points)
    starts = [to_day(date.fromisoformat(point.at)) for point in series]
    texts = days_of(written, starts, scope.span.last)
    return [
        point._replace(annotations=tuple(there)) for point, there in zip(points, texts, strict=True)
    ]


def row(page: PageRequest, one: Annotation) -> AnnotationRow:
    """Return an annotation as pages show it."""
    day = page.t.date_of(to_date(one.day))
    return AnnotationRow(one.id, day, one.text, page.t.actor(one.author))


async def _annotations(page: PageRequest, errors: Mapping[str, str]) -> Response:
    site = page.site
    written = await page.dependencies.annotations.all(site)
    today = to_date(site.day_of(int(page.dependencies.clock() * 1000)))
    return page.render(
        "annotations.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        site=site,
        errors=errors,
        form=page.form,
        annotations=[row(page, one) for one in reversed(written)],
        may_edit=page.principal.may_edit(site),
        today=today.isoformat(),
        most=MAX_TEXT,
    )
