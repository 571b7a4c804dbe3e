"""Tells people by e-mail what began and what is over, each once.

A message is marked as sent right after the server has accepted it. So it goes out once; twice only
if a process dies, or the store is lost, in between.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from email.message import EmailMessage
from typing import NamedTuple

from services.api import metrics
from services.api.sites.registry import Registry
from services.api.stats.reports.mailer import Mailer, MailError, pause_ms
from services.model.site import Site
from services.store.interface import Store
from services.store.records import alerts
from services.store.records.alerts import AlertEvent, AlertRule

OLD_MS = 2 * 86_400_000
"""Messages that could not be sent for this long are dropped."""
MOST_FAILURES = 5
"""After this many failed messages a round ends: the problem is the server, not the addresses."""

log = logging.getLogger(__name__)


class AlertNotice(NamedTuple):
    """What a message says: that an event of a site began, or with `is_over`, that it ended.

    event  None in a test message
    """

    site: Site
    rule: AlertRule
    event: AlertEvent | None
    is_over: bool = False


Compose = Callable[[AlertNotice], EmailMessage]


def is_given_up(event: AlertEvent, now_ms: int) -> bool:
    """Tell whether the next message of an event, which could not be sent, was given up."""
    is_old = now_ms - (event.ended or event.noticed) > OLD_MS
    return bool(event.problem) and (is_old or bool(event.dismissed))


class AlertTeller:
    """Sends what is due; what fails is retried after longer and longer pauses."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        mailer: Mailer,
        compose: Compose,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`compose` makes a message, without recipients."""
        self._registry = registry
        self._store = store
        self._compose = compose
        self._clock = clock
        self.mailer = mailer

    async def tell(self, events: Iterable[AlertEvent], rules: Mapping[str, AlertRule]) -> int:
        """Send the messages of unfinished events, and return how many. Raises StoreError."""
        sent = failed = 0
        for event in events:
            site, rule = self._registry.kept(event.site), rules.get(event.site)
            if site is None or rule is None or not self._is_due(event):
                continue
            if await self._send(event, site, rule):
                sent += 1
            else:
                failed += 1
            if failed >= MOST_FAILURES:
                break
        return sent

    async def test(self, site: Site, rule: AlertRule) -> None:
        """Send a test message. Raises MailError."""
        await self._mail(AlertNotice(site, rule, None))

    def _is_due(self, event: AlertEvent) -> bool:
        now = int(self._clock() * 1000)
        if event.dismissed or event.end_told or (event.told and not event.ended):
            return False
        if now - (event.ended or event.noticed) > OLD_MS:
            return False
        return now >= (event.version + pause_ms(event.failures) if event.failures else 0)

    async def _send(self, event: AlertEvent, site: Site, rule: AlertRule) -> bool:
        now = int(self._clock() * 1000)
        marked = event._replace(version=max(event.version + 1, now))
        try:
            await self._mail(AlertNotice(site, rule, event, bool(event.ended)))
        except MailError as error:
            metrics.ALERTS_FAILED.inc()
            log.warning("the alert of %s was not sent: %s", site.slug, error)
            failed = marked._replace(failures=event.failures + 1, problem=str(error)[:500])
            await alerts.save_events(self._store, [failed])
            return False
        metrics.ALERTS_SENT.inc()
        log.info("the alert of %s was sent to %d addresses", site.slug, len(rule.addresses))
        done = marked._replace(failures=0, problem="")
        done = done._replace(end_told=now) if event.ended else done._replace(told=now)
        await alerts.save_events(self._store, [done])
        return True

    async def _mail(self, notice: AlertNotice) -> None:
        message = await asyncio.to_thread(self._compose, notice)
        message["To"] = ", ".join(notice.rule.addresses)
        if refused := await self.mailer.send(message):
            log.warning("an alert of %s did not reach all addresses: %s", notice.site.slug, refused)
