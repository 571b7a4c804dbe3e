"""What the pages depend on."""

from collections.abc import Callable
from typing import NamedTuple

from services.api.access.audit import Audit
from services.api.access.header_sign_in import HeaderSignIn
from services.api.access.oidc.sign_in import OidcSignIn
from services.api.access.outside_accounts import OutsideAccounts
from services.api.access.own_accounts import OwnAccounts
from services.api.access.second_factors import SecondFactors
from services.api.access.sign_in import SignInService
from services.api.access.tokens import Tokens
from services.api.access.trail import Trail
from services.api.access.users import Users
from services.api.counter.routes import Counters
from services.api.imports.undo import Undoing
from services.api.sites.alerts.service import Alerts
from services.api.sites.annotations.service import Annotations
from services.api.sites.balances.service import Balances
from services.api.sites.corrections.service import Corrections
from services.api.sites.groups.service import Groups
from services.api.sites.peaks import Peaks
from services.api.sites.registry import Registry
from services.api.sites.service import Sites
from services.api.sites.shares.service import ShareLinks
from services.api.sites.titles.fetches import TitleFetches
from services.api.sites.titles.service import Titles
from services.api.stats.many.tables import SiteTables
from services.api.stats.panels.site_panels import PanelSource
from services.api.stats.reports.schedules import ReportSchedules
from services.api.stats.reports.sending import ReportSender
from services.api.stats.reports.unit import ReportUnits
from services.state.recent_hits import HitsOfForeignHosts, UntrustedForwards
from services.store.interface import Store


class Dependencies(NamedTuple):
    """The parts of the service that pages use.

    clock  seconds since 1970
    """

    store: Store
    registry: Registry
    sites: Sites
    corrections: Corrections
    undoing: Undoing
    balances: Balances
    peaks: Peaks
    alerts: Alerts
    annotations: Annotations
    titles: Titles
    title_fetches: TitleFetches
    shares: ShareLinks
    counters: Counters
    stats: PanelSource
    groups: Groups
    tables: SiteTables
    report_units: ReportUnits
    report_schedules: ReportSchedules
    report_sender: ReportSender
    sign_in: SignInService
    factors: SecondFactors
    own: OwnAccounts
    users: Users
    tokens: Tokens
    audit: Audit
    trail: Trail
    outside: OutsideAccounts
    oidc: OidcSignIn | None
    header: HeaderSignIn | None
    public_url: str | None
    untrusted: UntrustedForwards
    foreign: HitsOfForeignHosts
    clock: Callable[[], float]
