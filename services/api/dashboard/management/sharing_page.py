"""`/admin/sites/{slug}/sharing`: links that show a site or report without signing in, and frames.

`/admin/groups/{group}/sharing` has the links to reports of a group.
"""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.reports.report_page import home_of, opened_from, query_text, unit_of
from services.api.dashboard.requests.page_request import PageRequest
from services.api.dashboard.texts.days import span_label
from services.api.dashboard.texts.language import Language
from services.api.dashboard.traffic.shown_pages import PUBLIC
from services.api.sites.fields import SiteFields
from services.api.sites.shares.routes import ShareFields, path_of
from services.api.sites.shares.service import report_of
from services.api.stats.grammar.site_query import CUSTOM, MEASURED, OPENINGS
from services.api.stats.periods.spans import Period, span_of
from services.api.stats.reports.report_query import ReportQuery
from services.api.stats.reports.schedules import MAILED_PERIODS
from services.http.errors import ApiError
from services.model.calendar import to_date
from services.store.records.share_links import ShareLink

_FRAME = (
    '<iframe src="{url}" title="{title}" width="100%" height="1600" loading="lazy"'
    ' referrerpolicy="no-referrer"></iframe>'
)


async def sharing(page: PageRequest) -> Response:
    """Return the links of a site, and who may show it in a frame."""
    return await _sharing(page, {})


async def make(page: PageRequest) -> Response:
    """Create a link; its URL is shown only this once."""
    unit, period = await unit_of(page), page.form.get("period")
    opening = page.form.get("opening") or MEASURED.value
    report = ReportQuery(period, page.form.get("date").strip(), opening) if period else None
    try:
        new = ShareFields.model_validate({"name": page.form.get("name")})
        made = await page.dependencies.shares.make(page.principal, unit, new.name, report)
    except (ValidationError, ApiError) as error:
        return await _sharing(page, mistakes(error, HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN))
    return await _sharing(page, {}, f"{_origin(page)}{path_of(made)}")


async def withdraw(page: PageRequest) -> Response:
    """Revoke a link."""
    unit, id_ = await unit_of(page), page.request.path_params["id"]
    await page.dependencies.shares.withdraw(page.principal, unit, id_)
    return page.redirect(f"{home_of(unit)}/sharing{query_text(page)}", saved=True)


async def frames(page: PageRequest) -> Response:
    """Set which hosts may show the site in a frame."""
    try:
        changes = SiteFields.model_validate({"frame_hosts": page.form.words("frame_hosts")})
        await page.dependencies.sites.edit(page.principal, page.site, changes)
    except (ValidationError, ApiError) as error:
        return await _sharing(page, mistakes(error))
    return page.redirect(f"{page.base}/sharing", saved=True)


async def _sharing(page: PageRequest, errors: Mapping[str, str], made: str = "") -> Response:
    unit, shares, t = await unit_of(page), page.dependencies.shares, page.t
    report = opened_from(page)
    chosen = (
        ReportQuery(page.form.get("period"), page.form.get("date"), page.form.get("opening"))
        if errors
        else report
    )
    site = unit.sites[0] if unit.group is None else None
    is_public = site is not None and site.public_dashboard
    public = f"{_origin(page)}{PUBLIC}/{unit.slug}"
    return page.render(
        "sharing.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        site=site,
        unit=unit,
        home=home_of(unit),
        of_report=query_text(page),
        chosen=chosen,
        errors=errors,
        form=page.form,
        links=[(one, _shown(one, page)) for one in await shares.of(unit)],
        may_make=shares.may_make(page.principal),
        made=made,
        periods=[
            *([("", t("sharing.traffic"))] if site else []),
            *(
                (one, t("sharing.report", period=period_name(one, t)))
                for one in (*MAILED_PERIODS, *([CUSTOM] if chosen.period == CUSTOM else []))
            ),
        ],
        openings=[(one.value, t(f"opening.show.{one}")) for one in OPENINGS],
        public=public if is_public else "",
        frame=_FRAME.format(url=made or public, title=t("sharing.frame.title")),
        zone=unit.require_sites()[0].timezone,
    )


def _shown(link: ShareLink, page: PageRequest) -> str:
    """Return what a link shows, as text."""
    t, query = page.t, report_of(link)
    if query is None:
        return t("sharing.traffic")
    which = t("sharing.report", period=period_name(query.period, t))
    return f"{which}, {_days_text(query, t)}"


def _days_text(query: ReportQuery, t: Language) -> str:
    """Return of which days a report is, as text."""
    if not query.dates:
        return t("sharing.last")
    if query.period == CUSTOM:
        span = span_of(CUSTOM, query.dates, 0)
        return t("sharing.of_days", days=span_label(span, t))
    day = span_of(Period.DAY, query.dates, 0).first
    return t("sharing.of_day", day=t.date_of(to_date(day)))


def period_name(period: str, t: Language) -> str:
    """Return the name of a report period."""
    return t("period.custom") if period == CUSTOM else t(f"report.period.{period}")


def _origin(page: PageRequest) -> str:
    scheme = "https" if page.is_secure else "http"
    here = f"{scheme}://{page.request.headers.get('host', '')}"
    return (page.dependencies.public_url or here).rstrip("/")
