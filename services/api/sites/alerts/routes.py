"""`/api/admin/sites/{slug}/alerts`: who is told by e-mail of what is far from usual."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends

from services.api.access.route import Who, admin_router, needs, site_of
from services.api.sites.alerts.schemas import AlertFields, AlertsOut, alerts_out
from services.api.sites.alerts.service import Alerts
from services.api.sites.registry import Registry
from services.model.account import Role
from services.model.site import Site
from services.store.records.alerts import AlertRule


def router(registry: Callable[[], Registry], of: Callable[[], Alerts]) -> APIRouter:
    """Return the routes; what they need is looked up for every request."""
    routes = admin_router("/sites/{slug}/alerts")
    known = Depends(site_of(registry))

    async def out(site: Site, rule: AlertRule) -> AlertsOut:
        known = of()
        return alerts_out(
            rule,
            [(event, known.is_given_up(event)) for event in await known.events(site)],
            is_mail_ready=known.is_mail_ready,
        )

    @routes.get("")
    @needs(Role.EDITOR)
    async def alerts_of_site(site: Annotated[Site, known]) -> AlertsOut:
        """Who is told of what, and what happened last."""
        return await out(site, await of().of_site(site))

    @routes.put("")
    @needs(Role.EDITOR)
    async def set_alerts(site: Annotated[Site, known], fields: AlertFields, who: Who) -> AlertsOut:
        """Say who is told of what, all of it; what goes on and is not wanted any more is ended."""
        return await out(site, await of().change(who, site, fields))

    @routes.post("/test", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.EDITOR)
    async def test_alerts(site: Annotated[Site, known], who: Who) -> None:
        """Send a message to the saved addresses now, to see whether it arrives; once a minute."""
        await of().test(who, site)

    return routes
