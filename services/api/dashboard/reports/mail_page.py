"""`/admin/sites/{slug}/report/mail`: who gets the report of a site or group by e-mail."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from services.api.dashboard.reports.report_page import home_of, opened_from, query_text, unit_of
from services.api.dashboard.requests.page_request import PageRequest
from services.api.stats.grammar.site_query import OPENINGS
from services.api.stats.reports.mailer import ADDRESS, MailError
from services.api.stats.reports.schedules import MAILED_PERIODS
from services.http.errors import ApiError, Translatable, bad_request
from services.model.calendar import to_date
from services.model.display import Lang


async def schedules(page: PageRequest) -> Response:
    """Return the schedules of a site."""
    return await _schedules(page, {})


async def add(page: PageRequest) -> Response:
    """Add a schedule."""
    form = page.form
    try:
        await page.dependencies.report_schedules.add(
            page.principal,
            await unit_of(page),
            form.get("period"),
            form.get("lang"),
            form.get("opening"),
            form.get("addresses"),
        )
    except ApiError as error:
        return await _schedules(page, error.errors)
    return await _back(page)


async def remove(page: PageRequest) -> Response:
    """Remove a schedule."""
    await page.dependencies.report_schedules.remove(
        page.principal, await unit_of(page), page.request.path_params["id"]
    )
    return await _back(page)


async def test(page: PageRequest) -> Response:
    """Send the report of last month to an address, now."""
    address = page.form.get("address").strip()
    try:
        if not ADDRESS.fullmatch(address):
            text = "expected an address such as lan@mytho.example"
            raise bad_request(
                "address", Translatable(text, "report.mail.address", address=address[:80])
            )
        unit = await unit_of(page)
        await page.dependencies.report_sender.send_test(unit, address, page.t.lang)
    except MailError as error:
        return await _schedules(page, {"mail": str(error)})
    except ApiError as error:
        return await _schedules(page, error.errors)
    return await _back(page)


async def _back(page: PageRequest) -> Response:
    home = home_of(await unit_of(page))
    return page.redirect(f"{home}/report/mail{query_text(page)}", saved=True)


async def _schedules(page: PageRequest, errors: Mapping[str, str]) -> Response:
    t, unit = page.t, await unit_of(page)
    zone = unit.require_sites()[0].zone_at(int(page.dependencies.clock() * 1000))
    known = await page.dependencies.report_schedules.of(unit)
    return page.render(
        "report_mail.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        home=f"{home_of(unit)}/report",
        name=unit.name,
        errors=errors,
        form=page.form,
        of_report=query_text(page),
        chosen=opened_from(page),
        is_ready=page.dependencies.report_sender.mailer.is_ready,
        periods=[(one, t(f"report.period.{one}")) for one in MAILED_PERIODS],
        languages_of=[(lang.value, t.language(lang)) for lang in Lang],
        openings=[(one.value, t(f"opening.show.{one}")) for one in OPENINGS],
        rows=[
            (
                one.schedule.id,
                t(f"report.period.{one.schedule.period}"),
                t.language(Lang(one.schedule.lang)),
                one.schedule.addresses,
                t.moment(one.sending.sent_at, zone) if one.sending.sent_at else "–",
                t.date_of(to_date(one.sending.sent)) if one.sending.sent_at else "",
                t("report.mail.problem") if one.sending.failures else t("report.mail.refused"),
                t.told(one.sending.problem),
            )
            for one in known
        ],
    )
