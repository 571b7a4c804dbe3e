"""`/admin/sites/{slug}/corrections`: finding and taking back what should not have been counted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard.management.corrections_form import CorrectionForm
from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.page_request import HOME, PageRequest
from services.api.dashboard.texts.changed_numbers import before_after, changed_numbers
from services.api.dashboard.traffic.site_page import chip
from services.api.sites.corrections.query import QueryFields
from services.api.sites.corrections.schemas import CorrectionFields, WhyFields
from services.api.sites.corrections.service import CorrectionPreview, NewCorrection
from services.api.sites.peaks import PeakOut
from services.api.stats.grammar.site_query import FIELDS, applied_of
from services.http.errors import ApiError
from services.model.calendar import to_date
from services.model.site import Site
from services.store.counts.corrections import Correction

LISTED = 50
_REFUSALS = (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)


class CorrectionRow(NamedTuple):
    """A correction in the list; it `may_reverse` as long as it is in force."""

    id: str
    days: str
    views: str
    visits: str
    visitors: str
    made: str
    author: str
    reason: str
    conditions: str
    is_reversal: bool
    may_reverse: bool


async def corrections(page: PageRequest) -> Response:
    """Return the form, with a preview if one is asked for, and the corrections made so far."""
    form = CorrectionForm.of_address(page)
    if not form.is_asked:
        return await _page(page, form, None, {})
    try:
        fields = QueryFields.model_validate(form.query())
        preview = await page.dependencies.corrections.preview(page.site, fields)
    except (ValidationError, ApiError) as error:
        return await _page(page, form, None, mistakes(error, *_REFUSALS))
    return await _page(page, form, preview, {})


async def make(page: PageRequest) -> Response:
    """Make the correction that was previewed."""
    sent = page.form
    try:
        new = CorrectionFields.model_validate(
            {
                "id": sent.get("id"),
                "query": {
                    "from": sent.get("from"),
                    "to": sent.get("to"),
                    "filters": sent.get("filters"),
                    "more_than": sent.whole("more_than"),
                },
                "reason": sent.get("reason"),
                "up_to": sent.get("up_to"),
                "views": sent.whole("views"),
            }
        )
        made = NewCorrection(new.id, new.query, new.reason, int(new.up_to or 0), new.views)
        await page.dependencies.corrections.make(page.principal, page.site, made)
    except (ValidationError, ApiError) as error:
        form = CorrectionForm.of_query(
            page, sent.get("from"), sent.get("to"), sent.get("filters"), sent.get("more_than")
        )
        return await _page(page, form, None, mistakes(error, *_REFUSALS))
    return page.redirect(_address(page.site), saved=True)


async def reverse(page: PageRequest) -> Response:
    """Reverse a correction."""
    name = page.request.path_params["id"]
    try:
        why = WhyFields.model_validate({"reason": page.form.get("reason")})
        await page.dependencies.corrections.reverse(page.principal, page.site, name, why.reason)
    except (ValidationError, ApiError) as error:
        return await _page(page, CorrectionForm.of_address(page), None, mistakes(error, *_REFUSALS))
    return page.redirect(_address(page.site), saved=True)


async def peak(page: PageRequest) -> Response:
    """Reset today's peak, or restore it as measured."""
    peaks, site = page.dependencies.peaks, page.site
    try:
        why = WhyFields.model_validate({"reason": page.form.get("reason")})
        await peaks.change(
            page.principal,
            site,
            peaks.today(site),
            why.reason,
            reset=page.form.get("what") != "restore",
        )
    except (ValidationError, ApiError) as error:
        return await _page(page, CorrectionForm.of_address(page), None, mistakes(error, *_REFUSALS))
    return page.redirect(_address(page.site), saved=True)


async def hide(page: PageRequest) -> Response:
    """Hide a page from public lists, or show it there again."""
    name, hidden = page.form.get("page"), page.form.get("what") != "show"
    try:
        await page.dependencies.sites.hide(page.principal, page.site, name, hidden=hidden)
    except (ValidationError, ApiError) as error:
        return await _page(page, CorrectionForm.of_address(page), None, mistakes(error, *_REFUSALS))
    return page.redirect(_address(page.site), saved=True)


def _address(site: Site) -> str:
    return f"{HOME}/sites/{site.slug}/corrections"


async def _page(
    page: PageRequest,
    form: CorrectionForm,
    found: CorrectionPreview | None,
    errors: Mapping[str, str],
) -> Response:
    site, dependencies = page.site, page.dependencies
    rows = await dependencies.corrections.ledger(site)
    day = dependencies.peaks.today(site)
    return page.render(
        "corrections.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        site=site,
        form=form,
        fields=FIELDS,
        errors=errors,
        found=None if found is None else _found(page, site, found),
        rows=[_row(page, site, row, rows) for row in rows[: -LISTED - 1 : -1]],
        more=max(0, len(rows) - LISTED),
        peak=await _peak(page, site, day),
        min_visitors=site.min_visitors,
        to_hide="" if page.form.on("what") else page.form.get("page"),
    )


async def _peak(page: PageRequest, site: Site, day: int) -> PeakOut | None:
    """Return today's peak; None if there is none, or it cannot be computed now."""
    try:
        peak = await page.dependencies.peaks.read(site, day)
    except ApiError:
        return None
    return peak if peak.measured else None


def _found(page: PageRequest, site: Site, found: CorrectionPreview) -> dict[str, Any]:
    t, change = page.t, found.change
    numbers = changed_numbers(site, found.public, t)
    total = change.total
    return {
        "id": found.id,
        "query": found.query.written(site),
        "up_to": found.until,
        "views": total.views,
        "total": [t.number(count) for count in total],
        "conditions": _conditions(page, site, found.query.written(site)),
        "days": [
            (t.day(to_date(day)), [t.number(count) for count in taken])
            for day, taken in sorted(change.days.items())
        ],
        "pages": [
            (one.path, t.number(one.views), t.number(one.visits), before_after(one.total, t))
            for one in found.public.pages
        ],
        "has_moved": any(one.visits < 0 for one in found.public.pages),
        "more_pages": len(change.pages) - len(found.public.pages),
        "measures": numbers.measures,
        "numbers": numbers.rows,
        "unknown": t.number(change.unknown) if change.unknown else "",
    }


def _row(
    page: PageRequest, site: Site, row: Correction, rows: Sequence[Correction]
) -> CorrectionRow:
    t = page.t
    first, last = t.date_of(to_date(row.first)), t.date_of(to_date(row.last))
    is_reversed = any(other.reverses == row.id for other in rows)
    return CorrectionRow(
        row.id,
        first if first == last else f"{first} – {last}",
        t.number(-row.views),
        t.number(-row.visits),
        t.number(-row.visitors),
        t.moment(row.at, site.zone_at(row.at)),
        t.actor(row.author),
        row.reason,
        _conditions(page, site, msgspec.json.decode(row.query)),
        bool(row.reverses),
        not row.reverses and not is_reversed and not row.undoes_import,
    )


def _conditions(page: PageRequest, site: Site, written: Mapping[str, Any]) -> str:
    """Return a query as text."""
    t = page.t
    moments = [
        t.moment(int(at.timestamp() * 1000), site.zone_at(int(at.timestamp() * 1000)))
        for at in (datetime.fromisoformat(written[name]) for name in ("from", "to"))
    ]
    many = [t("corrections.many", count=written["more_than"])] if written["more_than"] else []
    return " · ".join(
        [" – ".join(moments), *(chip(one, t) for one in applied_of(written["filters"])), *many]
    )
