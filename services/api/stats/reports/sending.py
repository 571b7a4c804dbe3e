"""Sends the reports that are due, from one API process at a time.

A report is marked as sent right after the server has accepted it. So it goes out once; twice only
if a process dies, or the store is lost, in between.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import EmailMessage

from services.api import metrics
from services.api.stats.readers.reader import StatsReader
from services.api.stats.reports.mailer import Mailer, MailError, pause_ms
from services.api.stats.reports.making import make_report
from services.api.stats.reports.report_query import ReportQuery, report_scope
from services.api.stats.reports.schedules import ReportSchedules, ScheduledReport
from services.api.stats.reports.traffic_report import TrafficReport
from services.api.stats.reports.unit import ReportUnit, ReportUnits
from services.http.errors import ApiError
from services.model.calendar import to_date
from services.model.display import Lang
from services.state.errors import StateError
from services.state.report_lock import LOCK_SECONDS, report_lock
from services.state.state import State
from services.store.interface import Store, StoreError
from services.store.records import report_schedules

ROUND_SECONDS = 60.0
HOURS_AFTER = 3
"""How long after the end of a period its report is sent: late hits are counted by then."""
_HOUR_MS = 3_600_000

log = logging.getLogger(__name__)

Compose = Callable[[TrafficReport, Lang], EmailMessage]


class ReportSender:
    """Finds what is due, and sends it."""

    def __init__(
        self,
        schedules: ReportSchedules,
        units: ReportUnits,
        store: Store,
        state: State,
        reader: StatsReader,
        mailer: Mailer,
        compose: Compose,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`compose` makes the message of a report, without recipients."""
        self._schedules = schedules
        self._units = units
        self._store = store
        self._state = state
        self._reader = reader
        self._compose = compose
        self._clock = clock
        self.mailer = mailer

    async def send_forever(self) -> None:
        """Send what is due, round after round; what fails is retried."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            if not self.mailer.is_ready:
                continue
            try:
                await self.send_due()
            except (StoreError, StateError, ApiError) as error:
                log.warning("reports cannot be sent now: %s", error)
            except Exception:
                log.exception("reports cannot be sent now")

    async def send_due(self) -> int:
        """Send every report that is due, and return how many. Raises StoreError, StateError."""
        lock = report_lock(self._state)
        if not await lock.acquire():
            return 0
        try:
            # A round must end before the lock expires.
            async with asyncio.timeout(LOCK_SECONDS - 60):
                sent = 0
                for one in await self._schedules.all():
                    sent += await self._send_if_due(one)
                return sent
        finally:
            with suppress(StateError):
                await lock.release()

    async def send_test(self, unit: ReportUnit, address: str, lang: Lang) -> None:
        """Send last month's report to one address. Raises MailError, ApiError."""
        report = await self._report(unit, ReportQuery())
        await self._send(report, lang, [address])

    async def _send_if_due(self, one: ScheduledReport) -> int:
        schedule, sending = one
        unit = await self._units.kept(schedule.site)
        if unit is None or not unit.sites:
            return 0
        now = int(self._clock() * 1000)
        query = ReportQuery(schedule.period, opening=schedule.opening)
        # As if it were some hours earlier: a period counts as over only a while after its end.
        span = report_scope(query, unit.sites[0].day_of(now - HOURS_AFTER * _HOUR_MS)).span
        if span.last <= sending.sent or now < sending.version + pause_ms(sending.failures):
            return 0
        mark = sending._replace(version=max(sending.version + 1, now))
        try:
            report = await self._report(unit, query._replace(dates=to_date(span.first).isoformat()))
            refused = await self._send(report, Lang(schedule.lang), schedule.addresses)
        except (StoreError, StateError):
            raise
        except Exception as error:
            # One report that cannot be made must not hold up the others.
            why = _why(error)
            if not isinstance(error, MailError | ApiError):
                log.exception("the report of %s cannot be made", unit.slug)
            metrics.REPORTS_FAILED.inc()
            log.warning("the report of %s was not sent: %s", unit.slug, why)
            failed = mark._replace(failures=sending.failures + 1, problem=why[:500])
            await report_schedules.mark(self._store, failed)
            return 0
        metrics.REPORTS_SENT.inc()
        log.info("the report of %s was sent to %d addresses", unit.slug, len(schedule.addresses))
        if refused:
            # Sending again would give it twice to those who have it.
            log.warning("the report of %s did not reach all addresses: %s", unit.slug, refused)
        done = mark._replace(sent=span.last, sent_at=now, failures=0, problem=refused[:500])
        await report_schedules.mark(self._store, done)
        return 1

    async def _report(self, unit: ReportUnit, query: ReportQuery) -> TrafficReport:
        at_ms = int(self._clock() * 1000)
        return await make_report(self._reader, unit, query, at_ms, is_final=True)

    async def _send(self, report: TrafficReport, lang: Lang, addresses: Sequence[str]) -> str:
        message = await asyncio.to_thread(self._compose, report, lang)
        message["To"] = ", ".join(addresses)
        return await self.mailer.send(message)


def _why(error: Exception) -> str:
    """Return why a report was not sent, in words for those waiting for it."""
    match error:
        case ApiError():
            return "; ".join(error.errors.values())
        case MailError():
            return str(error)
    return "the server failed; its log says why"
