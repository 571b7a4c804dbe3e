"""`/api/admin/audit`: who changed what, when, and what it was before and after."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.api.access.principal import Principal
from services.api.access.route import Who, admin_router, needs
from services.api.sites.registry import Registry
from services.http.errors import bad_request, shown, unavailable, unknown_site
from services.model.account import ALL_SITES, Role
from services.store.interface import Store, StoreError
from services.store.records import audit

MAX_ENTRIES = 500


class AuditEntryOut(BaseModel):
    """One change; of an edit, what differs."""

    at: int = Field(description="milliseconds since 1970, UTC")
    who: str
    action: str
    site: str = Field(description="slug; '' for what belongs to no site")
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    failed: bool = Field(description="the change was not confirmed")


class AuditLogPage(BaseModel):
    """A part of the log, the newest first."""

    entries: list[AuditEntryOut]
    next: str | None = Field(description="`before` of the next part; null at the end")


def router(store: Callable[[], Store], registry: Callable[[], Registry]) -> APIRouter:
    """Return the route; store and registry are looked up for every request."""
    routes = admin_router("/audit")

    @routes.get("")
    @needs(Role.EDITOR)
    async def read_audit(
        asking: Who,
        site: Annotated[str | None, Query(description="changes of this site only")] = None,
        who: Annotated[str | None, Query(description="changes by this name only")] = None,
        action: Annotated[
            str | None, Query(description="these only, for example sign_in or site.edit")
        ] = None,
        before: Annotated[str | None, Query(description="`next` of the part before")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 100,
    ) -> AuditLogPage:
        """The audit log, the newest first: everything for an owner, else of your sites."""
        sites = sites_of(asking, site, registry())
        try:
            entries = await audit.newest(store(), limit + 1, place(before), sites, who, action)
        except StoreError as error:
            raise unavailable(f"the audit log cannot be read: {error}") from error
        part = entries[:limit]
        rest = f"{part[-1].at}-{part[-1].id}" if len(entries) > limit else None
        return AuditLogPage(entries=[_out(entry) for entry in part], next=rest)

    return routes


def sites_of(asking: Principal, site: str | None, registry: Registry) -> list[str] | None:
    """Return the sites whose entries to read; None is everything."""
    if site is not None:
        if not asking.has(site):
            raise unknown_site(site)
        # Including what was done while it had another name.
        return sorted(registry.slugs([site]))
    if asking.is_owner:
        return None
    if ALL_SITES in asking.sites:
        return [known.slug for known in registry.all()]
    return sorted(asking.sites)


def place(text: str | None) -> audit.Place | None:
    if text is None:
        return None
    at, dash, name = text.partition("-")
    if not dash or not at.isascii() or not at.isdigit() or len(at) > 16:
        raise bad_request("before", f"{shown(text)}; expected `next` of an answer")
    return int(at), name


def _out(entry: audit.AuditEntry) -> AuditEntryOut:
    return AuditEntryOut(
        at=entry.at,
        who=entry.who,
        action=entry.action,
        site=entry.site,
        subject=entry.subject,
        before=_decoded(entry.before),
        after=_decoded(entry.after),
        failed=bool(entry.failed),
    )


def _decoded(text: str) -> dict[str, Any] | None:
    return msgspec.json.decode(text, type=dict[str, Any]) if text else None
