"""Which reports go out by e-mail, as users have set it."""

import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.counter.parameters import one_of
from services.api.stats.grammar.site_query import OPENINGS
from services.api.stats.reports.mailer import addresses_of, checked_addresses
from services.api.stats.reports.report_query import REPORT_PERIODS, ReportQuery, report_scope
from services.api.stats.reports.unit import ReportUnit
from services.http.errors import ApiError, Translatable, shown, unavailable
from services.model.display import Lang
from services.store.interface import Store, StoreError
from services.store.records import report_schedules
from services.store.records.report_schedules import ReportSchedule, ReportSending

MAILED_PERIODS = REPORT_PERIODS[:-1]
"""All but custom dates, which do not recur."""
MOST_OF_A_UNIT = 20
_ID_BYTES = 6


class ScheduledReport(NamedTuple):
    """A schedule and its progress."""

    schedule: ReportSchedule
    sending: ReportSending


class ReportSchedules:
    """The schedules of all sites and groups; a site's are managed by its editors."""

    def __init__(self, store: Store, audit: Audit, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def all(self) -> list[ScheduledReport]:
        """Return every schedule. Raises StoreError."""
        sendings = await report_schedules.sendings(self._store)
        return [
            ScheduledReport(one, sendings.get((one.site, one.id)) or _none(one))
            for one in await report_schedules.load(self._store)
        ]

    async def of(self, unit: ReportUnit) -> list[ScheduledReport]:
        """Return the schedules of a site or group, the oldest first. Raises ApiError, 503."""
        try:
            return [one for one in await self.all() if one.schedule.site == unit.kept_as]
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    async def add(
        self, who: Principal, unit: ReportUnit, period: str, lang: str, opening: str, addresses: str
    ) -> ReportSchedule:
        """Send the report of each period, starting with the current one. Raises ApiError."""
        now = int(self._clock() * 1000)
        schedule = ReportSchedule(
            unit.kept_as,
            secrets.token_hex(_ID_BYTES),
            now,
            0,
            one_of("period", period, MAILED_PERIODS),
            one_of("lang", lang, list(Lang)),
            one_of("opening", opening, OPENINGS),
            checked_addresses(addresses_of(addresses)),
            who.name,
            now,
        )
        if len(await self.of(unit)) >= MOST_OF_A_UNIT:
            text = f"{unit.slug} has {MOST_OF_A_UNIT} schedules; remove one first"
            message = Translatable(text, "report.mail.too_many", count=MOST_OF_A_UNIT)
            raise ApiError(HTTPStatus.CONFLICT, {"addresses": message})
        # Periods that are over already were not asked for.
        today = unit.require_sites()[0].day_of(now)
        over = report_scope(ReportQuery(schedule.period), today).span.last
        async with self._audit.recorded(
            who, "report.schedule", schedule.id, site=unit.audited_as, after=_fields(schedule, unit)
        ):
            try:
                await report_schedules.mark(
                    self._store, ReportSending(unit.kept_as, schedule.id, now, over)
                )
                await report_schedules.save(self._store, schedule)
            except StoreError as error:
                raise unavailable(f"the store did not take the change: {error}") from error
        return schedule

    async def remove(self, who: Principal, unit: ReportUnit, id_: str) -> None:
        """Remove a schedule. Raises ApiError, 404 if the unit has none with this id."""
        known = next((one.schedule for one in await self.of(unit) if one.schedule.id == id_), None)
        if known is None:
            raise ApiError(
                HTTPStatus.NOT_FOUND, {"id": f"{shown(id_)} is no schedule of {unit.slug}"}
            )
        version = max(known.version + 1, int(self._clock() * 1000))
        async with self._audit.recorded(
            who, "report.unschedule", id_, site=unit.audited_as, before=_fields(known, unit)
        ):
            try:
                await report_schedules.save(self._store, known._replace(version=version, removed=1))
            except StoreError as error:
                raise unavailable(f"the store did not take the change: {error}") from error


def _fields(schedule: ReportSchedule, unit: ReportUnit) -> dict[str, object]:
    return {
        "period": schedule.period,
        "lang": schedule.lang,
        "opening": schedule.opening,
        "addresses": list(schedule.addresses),
        "group": "" if unit.group is None else unit.slug,
    }


def _none(schedule: ReportSchedule) -> ReportSending:
    # Its progress was lost: periods that were over when it was created were not asked for.
    return ReportSending(schedule.site, schedule.id, 0, schedule.at // 86_400_000)
