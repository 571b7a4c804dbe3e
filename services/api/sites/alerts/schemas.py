"""The alert rules and events of a site, as the API takes and shows them."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.api.sites.alerts.judging import LEAST_PERCENT, AlertKind
from services.model.display import Lang
from services.store.records.alerts import AlertEvent, AlertRule

MOST_HOURS = 150
"""Ten days of the hours from 7 to 22."""
MOST_PERCENT = 10_000

SilentHours = Annotated[
    int | None,
    Field(
        ge=1,
        le=MOST_HOURS,
        description="silent after so many hours without a view, of which only those from 7 to 22 of"
        " the site's own day count; null for no alert",
    ),
]
SpikePercent = Annotated[
    int | None,
    Field(
        ge=LEAST_PERCENT,
        le=MOST_PERCENT,
        description="so many percent above the same hours of the weeks before; null for no alert",
    ),
]
DropPercent = Annotated[
    int | None,
    Field(
        ge=LEAST_PERCENT,
        le=100,
        description="so many percent below the same hours of the weeks before; null for no alert",
    ),
]


class AlertFields(BaseModel):
    """The alerts of a site, as a whole."""

    model_config = ConfigDict(extra="forbid")

    addresses: list[Annotated[str, Field(max_length=320)]] = Field(
        description="up to 20 addresses; none for no alerts at all"
    )
    lang: Lang = Lang.VI
    silent_hours: SilentHours
    spike_percent: SpikePercent
    drop_percent: DropPercent


class AlertEventOut(BaseModel):
    """Something that happened, or that goes on. Times in milliseconds since 1970, UTC."""

    id: str
    kind: AlertKind
    noticed: int
    since: int = Field(description="when the hours that show it begin; of a silence, the last view")
    until: int = Field(description="when they end")
    views: int | None = Field(description="of these hours; null of a silence")
    usual: int | None = Field(description="of the same hours of the weeks before")
    ended: int | None = Field(description="when it was noticed to be over; null while it is not")
    mailed: int | None = Field(description="when the message of its beginning went out")
    mailed_end: int | None = Field(description="when that of its end went out")
    problem: str = Field(description="why the next message was not sent")
    given_up: bool = Field(
        description="whether it is not tried again: after two days, or where nobody wants it now"
    )


class AlertsOut(AlertFields):
    """The alerts of a site, and what happened."""

    is_mail_ready: bool = Field(description="whether this server has somebody to send e-mail by")
    events: list[AlertEventOut] = Field(description="the last 50, the newest first")


def alerts_out(
    rule: AlertRule, events: Iterable[tuple[AlertEvent, bool]], *, is_mail_ready: bool
) -> AlertsOut:
    """Return them as the API shows them.

    events  each with whether its next message was given up
    """
    return AlertsOut(
        addresses=list(rule.addresses),
        lang=Lang(rule.lang),
        silent_hours=rule.silent_hours or None,
        spike_percent=rule.spike_percent or None,
        drop_percent=rule.drop_percent or None,
        is_mail_ready=is_mail_ready,
        events=[_event_out(one, given_up=given_up) for one, given_up in events],
    )


def _event_out(one: AlertEvent, *, given_up: bool) -> AlertEventOut:
    has_views = one.kind != AlertKind.SILENT
    return AlertEventOut(
        id=one.id,
        kind=AlertKind(one.kind),
        noticed=one.noticed,
        since=one.since,
        until=one.until,
        views=one.seen if has_views else None,
        usual=one.usual if has_views else None,
        ended=one.ended or None,
        mailed=one.told or None,
        mailed_end=one.end_told or None,
        problem=one.problem,
        given_up=given_up,
    )
