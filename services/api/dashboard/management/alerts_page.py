"""`/admin/sites/{slug}/alerts`: who is e-mailed about unusual traffic."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from pydantic import ValidationError
from starlette.responses import Response

from services.api.dashboard.management.alert_mail import hours
from services.api.dashboard.management.site_form import mistakes
from services.api.dashboard.requests.page_request import PageRequest
from services.api.sites.alerts.judging import LEAST_PERCENT, AlertKind
from services.api.sites.alerts.schemas import MOST_HOURS, MOST_PERCENT, AlertFields
from services.api.stats.reports.mailer import addresses_of
from services.http.errors import ApiError
from services.model.display import Lang
from services.store.records.alerts import AlertEvent, AlertRule

LIMITS = {
    "silent_hours": (1, MOST_HOURS),
    "spike_percent": (LEAST_PERCENT, MOST_PERCENT),
    "drop_percent": (LEAST_PERCENT, 100),
}


class AlertRow(NamedTuple):
    """An event, as the page shows it."""

    kind: str
    began: str
    numbers: str
    ended: str
    end_numbers: str
    mailed: str
    problem: str
    not_sent: str


async def alerts(page: PageRequest) -> Response:
    """Return the form and the last events."""
    return await _alerts(page, {})


async def change(page: PageRequest) -> Response:
    """Replace the settings, or return the form with its errors."""
    form = page.form
    try:
        fields = AlertFields.model_validate(
            {
                "addresses": addresses_of(form.get("addresses")),
                "lang": form.get("lang"),
                **{name: form.whole(name) if form.get(name) else None for name in LIMITS},
            }
        )
        await page.dependencies.alerts.change(page.principal, page.site, fields)
    except (ValidationError, ApiError) as error:
        return await _alerts(page, mistakes(error))
    return page.redirect(f"{page.base}/alerts", saved=True)


async def test(page: PageRequest) -> Response:
    """Send a message to the saved addresses, now."""
    try:
        await page.dependencies.alerts.test(page.principal, page.site)
    except ApiError as error:
        also = HTTPStatus.BAD_GATEWAY, HTTPStatus.TOO_MANY_REQUESTS
        return await _alerts(page, mistakes(error, *also), typed=False)
    return page.redirect(f"{page.base}/alerts", saved=True)


async def _alerts(page: PageRequest, errors: Mapping[str, str], *, typed: bool = True) -> Response:
    """Return the page; with errors, the form keeps what was `typed`."""
    alerts, form = page.dependencies.alerts, page.form
    fields = _fields(await alerts.of_site(page.site))
    if errors and typed:
        fields = {name: form.get(name) for name in fields}
    return page.render(
        "alerts.html",
        HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        site=page.site,
        errors=errors,
        fields=fields,
        limits=LIMITS,
        is_ready=alerts.is_mail_ready,
        languages_of=[(lang.value, page.t.language(lang)) for lang in Lang],
        rows=[_row(page, one) for one in await alerts.events(page.site)],
    )


def _fields(rule: AlertRule) -> dict[str, str]:
    numbers = {name: str(getattr(rule, name) or "") for name in LIMITS}
    return {"addresses": ", ".join(rule.addresses), "lang": rule.lang, **numbers}


def _row(page: PageRequest, one: AlertEvent) -> AlertRow:
    t, site = page.t, page.site

    def moment(at: int) -> str:
        return t.moment(at, site.zone_at(at))

    def numbers(seen: int, usual: int) -> str:
        return t("alerts.numbers", views=t.number(seen), usual=t.number(usual))

    is_silence = one.kind == AlertKind.SILENT
    return AlertRow(
        kind=t(f"alerts.kind.{one.kind}"),
        began=moment(one.noticed) if is_silence else hours(one.since, one.until, site, t),
        numbers=t("alerts.last_view", at=moment(one.since))
        if is_silence
        else numbers(one.seen, one.usual),
        ended=moment(one.ended) if one.ended else t("alerts.going_on"),
        end_numbers=numbers(one.end_seen, one.end_usual) if one.end_until else "",
        mailed=" · ".join(moment(at) for at in (one.told, one.end_told) if at) or "–",
        problem=one.problem,
        not_sent=t(
            "alerts.given_up"
            if page.dependencies.alerts.is_given_up(one)
            else "report.mail.problem"
        ),
    )
