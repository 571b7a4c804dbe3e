"""The routes of the API: one line for each package that has some."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from services.api.access.routers import routers as access_routers
from services.api.components import Components
from services.api.counter import embed_routes as embed
from services.api.counter import routes as counter_routes
from services.api.counter import top
from services.api.dashboard import routes as dashboard
from services.api.imports import routes as import_routes
from services.api.openapi import page
from services.api.settings import ApiSettings
from services.api.sites import exports, lifecycle_routes, maintenance, other_views, peaks, tail
from services.api.sites import routes as site_routes
from services.api.sites.alerts import routes as alert_routes
from services.api.sites.annotations import routes as annotation_routes
from services.api.sites.balances import routes as balance_routes
from services.api.sites.corrections import routes as correction_routes
from services.api.sites.groups import routes as group_routes
from services.api.sites.registry import Registry
from services.api.sites.shares import group_routes as group_share_routes
from services.api.sites.shares import routes as share_routes
from services.api.sites.titles import routes as title_routes
from services.api.stats.many import routes as table_routes
from services.api.stats.reports import routes as report_routes
from services.api.stats.v1 import routes as stats
from services.api.stats.v1 import site_list
from services.api.stats.v2 import routes as stats_v2
from services.embedded.stores import Stores
from services.http import security_txt
from services.http.measured_route import MeasuredRoute
from services.widget import scripts


def add_routes(
    app: FastAPI,
    now: Callable[[], Components],
    settings: ApiSettings,
    clock: Callable[[], float],
) -> None:
    """Add every route to an application.

    `now` returns the parts of the running service, and raises ApiError while there are none.
    """

    async def counter(request: Request) -> Response:
        return await now().counters.respond(request)

    async def top_pages(request: Request) -> Response:
        return await now().top.respond(request)

    def registry() -> Registry:
        return now().registry

    def stores() -> Stores:
        return Stores(now().whole, now().log, now().state)

    app.router.routes[:0] = [
        MeasuredRoute(counter_routes.PATH, counter, methods=["GET", "OPTIONS"]),
        MeasuredRoute(top.PATH, top_pages, methods=["GET", "OPTIONS"]),
    ]
    app.router.routes.extend(
        [
            *scripts.routes(),
            *embed.routes(lambda: now().counters),
            *page.routes(app),
            *security_txt.routes(settings.security_contact, settings.public_url),
        ]
    )
    for router in (
        scripts.router(settings.public_url),
        site_routes.router(registry, lambda: now().access.audit, lambda: now().sites),
        lifecycle_routes.router(registry, lambda: now().sites),
        balance_routes.router(registry, lambda: now().balances),
        correction_routes.router(registry, lambda: now().corrections),
        group_routes.router(registry, lambda: now().groups),
        peaks.router(registry, lambda: now().peaks),
        alert_routes.router(registry, lambda: now().alerts),
        annotation_routes.router(registry, lambda: now().annotations),
        share_routes.router(registry, lambda: now().shares),
        group_share_routes.router(registry, lambda: now().report_units, lambda: now().shares),
        title_routes.router(registry, lambda: now().titles, lambda: now().title_fetches),
        other_views.router(registry, lambda: now().store, lambda: now().access.audit),
        exports.router(registry, lambda: now().store),
        *access_routers(lambda: now().access),
        stats.router(lambda: now().stats),
        stats_v2.router(lambda: now().stats),
        site_list.router(registry),
        table_routes.router(lambda: now().dependencies(settings).tables),
        report_routes.router(
            registry, lambda: now().dependencies(settings).stats, lambda: now().report_units
        ),
        import_routes.router(
            registry,
            lambda: now().imports,
            lambda: now().undoing,
            lambda: now().access.audit,
        ),
        tail.router(registry, lambda: now().tails),
        maintenance.router(stores, settings, lambda: now().access, clock),
    ):
        # Including a router would create each of its routes a second time, at the first request.
        app.router.routes.extend(router.routes)
    app.router.routes.extend(dashboard.routes(lambda: now().dependencies(settings)))
