"""The alerts of a site, as its editors set, try and read them."""

import time
from collections.abc import Callable
from http import HTTPStatus

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.sites.alerts.schemas import AlertFields
from services.api.sites.alerts.telling import AlertTeller, is_given_up
from services.api.stats.reports.mailer import MailError, checked_addresses
from services.http.errors import ApiError, Translatable, bad_request, unavailable
from services.model.display import Lang
from services.model.site import Site
from services.store.interface import Store, StoreError
from services.store.records import alerts
from services.store.records.alerts import AlertEvent, AlertRule

SHOWN_EVENTS = 50
SILENT_HOURS, SPIKE_PERCENT, DROP_PERCENT = 6, 200, 70
"""The initial values of the form; nothing is sent before there is an address."""
TEST_SECONDS = 60
"""The pause between two test messages of a site."""


class Alerts:
    """The rules and the last events of every site; every change of rules is in the audit log."""

    def __init__(
        self,
        store: Store,
        audit: Audit,
        teller: AlertTeller,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._audit = audit
        self._teller = teller
        self._clock = clock
        self._tested: dict[str, float] = {}
        """Name that a site is kept under → time of its last test message; of the last minute."""

    @property
    def is_mail_ready(self) -> bool:
        """Whether the settings name a server and a sender."""
        return self._teller.mailer.is_ready

    async def of_site(self, site: Site) -> AlertRule:
        """Return the rules of a site; the form's defaults if none were set. Raises ApiError."""
        try:
            rule = await alerts.rule_of(self._store, site.kept_as)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error
        return rule or AlertRule(
            site.kept_as, 0, (), Lang.VI.value, SILENT_HOURS, SPIKE_PERCENT, DROP_PERCENT
        )

    async def events(self, site: Site) -> list[AlertEvent]:
        """Return what happened last, the newest first. Raises ApiError, 503."""
        try:
            return await alerts.recent(self._store, site.kept_as, SHOWN_EVENTS)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error

    def is_given_up(self, event: AlertEvent) -> bool:
        """Tell whether the next message of an event was given up."""
        return is_given_up(event, int(self._clock() * 1000))

    async def change(self, who: Principal, site: Site, fields: AlertFields) -> AlertRule:
        """Set the rules of a site. Raises ApiError, 400 for an invalid address."""
        before = await self.of_site(site)
        after = AlertRule(
            site.kept_as,
            max(before.version + 1, int(self._clock() * 1000)),
            checked_addresses(fields.addresses, least=0),
            fields.lang.value,
            fields.silent_hours or 0,
            fields.spike_percent or 0,
            fields.drop_percent or 0,
            who.name,
        )
        async with self._audit.recorded(
            who,
            "alert.change",
            site.slug,
            site=site.slug,
            before=_fields(before) if before.version else {},
            after=_fields(after),
        ):
            try:
                await alerts.save_rule(self._store, after)
            except StoreError as error:
                raise unavailable(f"the store did not take the change: {error}") from error
        return after

    async def test(self, who: Principal, site: Site) -> None:
        """Send a message to the addresses of a site now, once a minute.

        Raises ApiError: 400 without addresses, 429 too soon, 502 with what the server answered.
        """
        rule = await self.of_site(site)
        if not rule.addresses:
            text = "none is saved; expected at least one"
            raise bad_request("addresses", Translatable(text, "alerts.test.nobody"))
        self._take_turn(site)
        async with self._audit.recorded(who, "alert.test", site.slug, site=site.slug):
            try:
                await self._teller.test(site, rule)
            except MailError as error:
                raise ApiError(HTTPStatus.BAD_GATEWAY, {"mail": str(error)}) from error

    def _take_turn(self, site: Site) -> None:
        now = self._clock()
        self._tested = {
            name: at for name, at in self._tested.items() if now - TEST_SECONDS < at <= now
        }
        if site.kept_as in self._tested:
            text = f"one was sent just now; expected one in {TEST_SECONDS} seconds"
            message = Translatable(text, "alerts.test.soon", seconds=TEST_SECONDS)
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                {"addresses": message},
                {"Retry-After": str(TEST_SECONDS)},
            )
        self._tested[site.kept_as] = now


def _fields(rule: AlertRule) -> dict[str, object]:
    return {
        "addresses": list(rule.addresses),
        "lang": rule.lang,
        "silent_hours": rule.silent_hours or None,
        "spike_percent": rule.spike_percent or None,
        "drop_percent": rule.drop_percent or None,
    }
