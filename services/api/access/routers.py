"""All routes for accounts, sessions and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.access import (
    account_routes,
    audit_routes,
    session_routes,
    token_routes,
    user_routes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import APIRouter

    from services.api.access.service import Access


def routers(access: Callable[[], Access]) -> list[APIRouter]:
    """Return the routes; `access` is looked up for every request."""
    return [
        *session_routes.routers(lambda: access().sign_in, lambda: access().users),
        account_routes.router(access),
        user_routes.router(lambda: access().users, lambda: access().factors),
        token_routes.router(lambda: access().tokens),
        audit_routes.router(lambda: access().store, lambda: access().registry),
    ]
