"""The parts of the service, wired together."""

from collections.abc import Callable

from services.api import metrics
from services.api.access.service import Access
from services.api.counter import routes as counter_routes
from services.api.counter import top
from services.api.counter.changes import SETTLE_SECONDS, Changes
from services.api.dashboard.management.alert_mail import AlertComposer
from services.api.dashboard.reports import mail as report_mail
from services.api.dashboard.requests.dependencies import Dependencies
from services.api.imports.service import Imports
from services.api.imports.undo import Undoing
from services.api.settings import ApiSettings
from services.api.sites.alerts.service import Alerts
from services.api.sites.alerts.telling import AlertTeller
from services.api.sites.alerts.watcher import AlertWatcher
from services.api.sites.annotations.service import Annotations
from services.api.sites.balances.service import Balances
from services.api.sites.corrections.service import Corrections
from services.api.sites.erasure import Erasures
from services.api.sites.groups.service import Groups
from services.api.sites.peaks import Peaks
from services.api.sites.registry import Registry
from services.api.sites.service import Sites
from services.api.sites.shares.service import ShareLinks
from services.api.sites.site_gauges import SiteGauges
from services.api.sites.titles.fetches import TitleFetches
from services.api.sites.titles.service import Titles
from services.api.stats.many.tables import SiteTables
from services.api.stats.panels.site_panels import PanelSource
from services.api.stats.readers.reader import StatsReader
from services.api.stats.reports.mailer import Mailer
from services.api.stats.reports.schedules import ReportSchedules
from services.api.stats.reports.sending import ReportSender
from services.api.stats.reports.unit import ReportUnits
from services.api.stats.v1 import routes as stats
from services.log.errors import LogError
from services.log.open import log_of
from services.log.tail import Tails
from services.runtime.contact import Contact
from services.state.recent_hits import HitsOfForeignHosts, UntrustedForwards
from services.state.state import State
from services.store.interface import Store, StoreError
from services.store.open import cluster_of, has_several_hosts, open_store, open_whole

REDIS_SECONDS = 2.0
STORE_SECONDS = 10.0
"""How long the store may be silent; a call that hangs occupies its thread for this long."""


class Components:
    """The parts that live from start to stop; a store or state not passed in is opened here."""

    def __init__(
        self,
        settings: ApiSettings,
        store: Store | None,
        state: State | None,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._owned_store = store is None
        self._owned_state = state is None
        url = settings.clickhouse_url.get_secret_value()
        self.store = store or open_store(url, answer_seconds=STORE_SECONDS)
        is_cluster = store is None and bool(cluster_of(url))
        self.whole = open_whole(url) if is_cluster else self.store
        """The store for whatever reads all of it: on a cluster, never a lagging replica."""
        self.state = state or State.open(settings.redis_url, seconds=REDIS_SECONDS)
        self.registry = Registry(self.store, self.state, clock)
        self.access = Access(settings, self.store, self.state, self.registry, clock, monotonic)
        self.log = log_of(settings, answer_seconds=REDIS_SECONDS)
        self.log_contact = Contact("the log", self.log.reader.now, (LogError,))
        self.store_contact = Contact("the store", self.store.ping, (StoreError,))
        metrics.LOG_UP.set_function(self.log_contact.up)
        metrics.STORE_UP.set_function(self.store_contact.up)
        self.groups = Groups(self.registry, self.access.accounts, self.access.audit, clock)
        erasures = Erasures(
            self.store,
            self.state,
            self.log.imports,
            self.registry,
            self.access.members,
            self.groups,
            self.access.audit,
            clock,
        )
        self.sites = Sites(
            self.registry,
            self.access.members,
            erasures,
            self.access.audit,
            clock,
            editors_publish=settings.editors_publish,
        )
        self.imports = Imports(self.store, self.log.imports, clock, monotonic)
        self.tails = Tails(self.log)
        several_hosts = has_several_hosts(url)
        settle = SETTLE_SECONDS if several_hosts else 0.0
        changes = Changes(
            self.registry,
            clock,
            monotonic,
            settings.partitions,
            settle,
            readable=lambda: self.store_contact.problem() is None,
        )
        self.counters = counter_routes.Counters(
            self.registry, self.store, self.state, clock, monotonic, changes
        )
        self.access.audit.after = self.counters.changed
        metrics.TOLD_PARTITIONS.set_function(changes.told_partitions)
        self.site_gauges = SiteGauges(
            settings,
            self.registry,
            self.counters,
            self.store,
            self.state,
            self.log,
            clock,
            monotonic,
        )
        self.top = top.TopPages(self.counters.site, self.registry, self.store, clock, monotonic)
        self.stats = stats.Stats(self.registry, self.store, self.state, clock, monotonic)
        # A separate one: a preview must not wait for people who only look at numbers.
        self._correcting = StatsReader(self.store)
        self.corrections = Corrections(
            self.store, self.state, self._correcting, self.counters, self.access.audit, clock
        )
        self.undoing = Undoing(
            self.store,
            self.log.imports,
            self.state,
            self._correcting,
            self.counters,
            self.access.audit,
            clock,
        )
        self.balances = Balances(self.store, self.access.audit, clock)
        self.peaks = Peaks(self.store, self.access.audit, clock)
        self.annotations = Annotations(self.store, self.access.audit, clock)
        self.report_units = ReportUnits(self.registry, self.groups)
        self.titles = Titles(self.store, self.registry, self.access.audit, clock)
        self.title_fetches = TitleFetches(
            self.store,
            self.state,
            self.registry,
            self.access.audit,
            settings.fetch_private,
            settings.public_url,
            clock,
        )
        self.shares = ShareLinks(
            self.store,
            self.report_units,
            self.access.audit,
            clock,
            monotonic,
            editors_publish=settings.editors_publish,
        )
        self.report_schedules = ReportSchedules(self.store, self.access.audit, clock)
        # A separate one: reports sent at night must not delay people who look at numbers.
        self._reporting = StatsReader(self.store, parts=self.registry.parts)
        mailer = Mailer(settings.smtp_url, settings.mail_from)
        self.report_sender = ReportSender(
            self.report_schedules,
            self.report_units,
            self.store,
            self.state,
            self._reporting,
            mailer,
            report_mail.compose,
            clock,
        )
        teller = AlertTeller(
            self.registry, self.store, mailer, AlertComposer(settings.public_url), clock
        )
        self.alerts = Alerts(self.store, self.access.audit, teller, clock)
        self.alert_watcher = AlertWatcher(
            self.registry,
            self.store,
            self.state,
            self.log,
            self._reporting,
            teller,
            clock,
        )
        self._clock = clock

    def dependencies(self, settings: ApiSettings) -> Dependencies:
        """Return the dependencies of the dashboard."""
        panels = PanelSource(self.store, self.stats.readers, self.stats.online, self._clock)
        return Dependencies(
            store=self.store,
            registry=self.registry,
            sites=self.sites,
            corrections=self.corrections,
            undoing=self.undoing,
            balances=self.balances,
            peaks=self.peaks,
            alerts=self.alerts,
            annotations=self.annotations,
            titles=self.titles,
            title_fetches=self.title_fetches,
            shares=self.shares,
            counters=self.counters,
            stats=panels,
            groups=self.groups,
            tables=SiteTables(
                self.registry,
                self.groups,
                panels,
                self.stats.online,
                self.site_gauges.silent_since,
            ),
            report_units=self.report_units,
            report_schedules=self.report_schedules,
            report_sender=self.report_sender,
            sign_in=self.access.sign_in,
            factors=self.access.factors,
            own=self.access.own,
            users=self.access.users,
            tokens=self.access.tokens,
            audit=self.access.audit,
            trail=self.access.trail,
            outside=self.access.outside,
            oidc=self.access.oidc,
            header=self.access.authenticator.header,
            public_url=settings.public_url,
            untrusted=UntrustedForwards(self.state),
            foreign=HitsOfForeignHosts(self.state),
            clock=self._clock,
        )

    async def close(self) -> None:
        """Cancel calls in flight, and close what was opened here."""
        await self.access.close()
        self.tails.close()
        await self.title_fetches.close()
        await self.shares.close()
        await self.stats.close()
        await self._correcting.close()
        await self._reporting.close()
        await self.site_gauges.close()
        await self.top.close()
        await self.counters.close()
        await self.log.close()
        if self._owned_state:
            await self.state.close()
        if self._owned_store:
            await self.store.close()
        if self.whole is not self.store:
            await self.whole.close()
