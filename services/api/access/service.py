"""Everything that decides who may do what, wired together."""

from collections.abc import Callable

from services.api.access.accounts import Accounts
from services.api.access.audit import Audit
from services.api.access.authenticator import Authenticator
from services.api.access.client_address import ClientAddresses
from services.api.access.header_sign_in import HeaderSettings, HeaderSignIn
from services.api.access.members import Members
from services.api.access.oidc.sign_in import OidcSignIn
from services.api.access.origin import Origins
from services.api.access.outside_accounts import OutsideAccounts
from services.api.access.own_accounts import OwnAccounts
from services.api.access.second_factors import SecondFactors
from services.api.access.sign_in import SignInService
from services.api.access.tokens import Tokens
from services.api.access.trail import Trail
from services.api.access.users import Users
from services.api.settings import ApiSettings
from services.api.sites.registry import Registry
from services.state.state import State
from services.store.interface import Store


class Access:
    """Users, tokens, sessions and the audit log, from start to stop."""

    def __init__(
        self,
        settings: ApiSettings,
        store: Store,
        state: State,
        registry: Registry,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.store = store
        self.registry = registry
        self.audit = Audit(store, clock)
        self.trail = Trail(self.audit, clock, monotonic)
        self.accounts = Accounts(store, state, registry, clock, monotonic)
        self.members = Members(self.accounts)
        clients = ClientAddresses(settings.trusted_proxies, settings.public_url)
        self.authenticator = Authenticator(
            settings.admin_token,
            self.accounts,
            state,
            clients,
            clock,
            self._header(settings, clients, monotonic),
        )
        self.factors = SecondFactors(self.authenticator, self.audit, state, clock)
        self._origins = Origins(clients, settings.country_database)
        self.sign_in = SignInService(
            self.authenticator, state, self.factors, self.trail, self._origins, clock
        )
        self.users = Users(self.authenticator, self.sign_in.passwords, self.audit, registry, clock)
        self.tokens = Tokens(self.authenticator, self.audit, clock)
        self.own = OwnAccounts(self.authenticator, store)
        self.outside = OutsideAccounts(self.authenticator, self.audit, registry, clock)
        self.oidc: OidcSignIn | None = None
        if settings.provider is not None:
            self.oidc = OidcSignIn(
                settings.provider,
                self.authenticator,
                self.outside,
                self.sign_in,
                clock,
                monotonic,
            )

    async def keep_published(self) -> None:
        """Tell ingest which tokens may send hits, for as long as this runs."""
        await self.accounts.keep_published()

    async def keep_written(self) -> None:
        """Record who signed in and who was refused, for as long as this runs."""
        await self.trail.keep_written()

    async def close(self) -> None:
        """End what is under way."""
        self.sign_in.close()
        self._origins.close()
        if self.oidc is not None:
            await self.oidc.close()
        await self.trail.close()
        await self.accounts.close()

    @staticmethod
    def _header(
        settings: ApiSettings, clients: ClientAddresses, monotonic: Callable[[], float]
    ) -> HeaderSignIn | None:
        if settings.auth_header is None:
            return None
        headers = HeaderSettings(
            settings.auth_header, settings.auth_groups_header, settings.auth_roles
        )
        return HeaderSignIn(headers, clients, monotonic)
