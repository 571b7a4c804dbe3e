"""Signing in by a header from a reverse proxy that has authenticated the user itself."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import Request

from services import metrics
from services.api.access.client_address import ClientAddresses
from services.api.access.group_roles import GroupRoles, OutsidePerson
from services.http.errors import ApiError, Translatable
from services.runtime.outage import Outage

PREFIX = "header "
"""Prefix of an account's identity, followed by the name in the header."""
MAX_NAME = 100
MAX_GROUPS = 2000
_UNTRUSTED = metrics.REFUSED_REQUESTS.create().labels("untrusted_header")

log = logging.getLogger(__name__)


class HeaderSettings(NamedTuple):
    """Which headers a proxy sets, and what the groups in the second grant.

    user    the header with the name of the person
    groups  the header with their groups, separated by commas
    """

    user: str
    groups: str
    roles: GroupRoles


class HeaderSignIn:
    """Reads from whom a request is, according to the proxy in front, and nobody else."""

    def __init__(
        self,
        settings: HeaderSettings,
        clients: ClientAddresses,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._refused = Outage(
            log, f"{settings.user} is refused", f"{settings.user} is taken", monotonic
        )

    def identity(self, request: Request) -> str | None:
        """Return whose request it is; None if there is no header, or the peer is not trusted."""
        name = self._name(request)
        if not name or not self._clients.trusts(request):
            return None
        return f"{PREFIX}{name}"

    def person(self, request: Request) -> OutsidePerson | None:
        """Return who signs in; None if there is no header.

        Raises ApiError, 403, for a header from a peer that is not a trusted proxy, and 400 for a
        repeated header: then not only the proxy has set it.
        """
        settings = self._settings
        if not request.headers.getlist(settings.user):
            return None
        if not self._clients.trusts(request):
            _UNTRUSTED.inc()
            peer = self._clients.peer(request)
            self._refused.begins(
                f"{peer} sent it, and is not in LUOT_TRUSTED_PROXIES. If it is your proxy, add it;"
                " if not, somebody tries to come in",
                logging.ERROR,
            )
            text = "the proxy that says who you are is not in LUOT_TRUSTED_PROXIES"
            raise ApiError(
                HTTPStatus.FORBIDDEN, {"sign_in": Translatable(text, "header.untrusted")}
            )
        name = self._name(request)
        if name is None or len(name) > MAX_NAME:
            text = f"{settings.user} is there more than once, or too long; the proxy must set it"
            raise ApiError(HTTPStatus.BAD_REQUEST, {"sign_in": Translatable(text, "header.twice")})
        self._refused.ends()
        if not name:
            return None
        listed = (self._one(request, settings.groups) or "").split(",")[:MAX_GROUPS]
        groups = {one.strip() for one in listed if one.strip()}
        return OutsidePerson("header", f"{PREFIX}{name}", name, settings.roles.of(groups))

    def _name(self, request: Request) -> str | None:
        name = self._one(request, self._settings.user)
        return None if name is None else name.lower()

    @staticmethod
    def _one(request: Request, header: str) -> str | None:
        """Return the value of a header; None when there are several, or none."""
        values = request.headers.getlist(header)
        if len(values) != 1:
            return None
        try:
            # Servers read headers as Latin-1; proxies send names as UTF-8.
            return values[0].encode("latin-1").decode().strip()
        except UnicodeError:
            return None
