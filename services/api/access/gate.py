"""The one place that every request which is not public has to pass."""

import hmac
from http import HTTPStatus

from pydantic import SecretStr
from starlette.requests import Request

from services.api.access.principal import Principal
from services.api.errors import ApiError
from services.model.account import ALL_SITES, Role

_ADMIN = Principal("admin token", Role.OWNER, frozenset({ALL_SITES}), "admin token")


class Gate:
    """Tells who asks."""

    def __init__(self, admin_token: SecretStr | None) -> None:
        self._admin_token = admin_token

    async def principal(self, request: Request) -> Principal | None:
        """Return who asks; see `services.api.access.who.principal`."""
        given = request.headers.get("authorization")
        if given is None:
            return None
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer" and self._is_admin(token.strip()):
            return _ADMIN
        raise self.stranger(request)

    def stranger(self, request: Request) -> ApiError:
        """Return the refusal of somebody who did not say who they are."""
        if self._admin_token is None:
            return ApiError(
                HTTPStatus.FORBIDDEN,
                {"authorization": "administration is off; set LUOT_ADMIN_TOKEN to turn it on"},
            )
        return _unknown("expected 'Bearer' and a token of this server")

    def _is_admin(self, token: str) -> bool:
        if self._admin_token is None:
            return False
        wanted = self._admin_token.get_secret_value().encode()
        return hmac.compare_digest(token.encode(), wanted)


def _unknown(message: str) -> ApiError:
    return ApiError(
        HTTPStatus.UNAUTHORIZED, {"authorization": message}, {"WWW-Authenticate": "Bearer"}
    )
