"""`/admin/audit`: who changed what."""

from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from services.api.access.audit_routes import place, sites_of
from services.api.access.trail import UNKNOWN
from services.api.dashboard.requests.page_request import PageRequest
from services.http.errors import unavailable
from services.model.site import DEFAULT_TIMEZONE
from services.store.interface import StoreError
from services.store.records import audit

ENTRIES_A_PAGE = 50


class FieldChange(NamedTuple):
    """One field of a change."""

    field: str
    before: str
    after: str


class AuditRow(NamedTuple):
    """One entry, as the page shows it."""

    at: str
    who: str
    action: str
    subject: str
    changes: list[FieldChange]
    failed: bool


async def entries(page: PageRequest) -> Response:
    """Return the log, newest first: everything for owners, for others that of their sites."""
    dependencies = page.dependencies
    site = page.parameter("site") or None
    sites = sites_of(page.principal, site, dependencies.registry)
    before = place(page.parameter("before") or None)
    try:
        rows = await audit.newest(
            dependencies.store,
            ENTRIES_A_PAGE + 1,
            before,
            sites,
            page.parameter("who") or None,
            page.parameter("action") or None,
        )
    except StoreError as error:
        raise unavailable(f"the audit log cannot be read: {error}") from error
    shown = rows[:ENTRIES_A_PAGE]
    more = f"{shown[-1].at}-{shown[-1].id}" if len(rows) > ENTRIES_A_PAGE else ""
    mine = [known for known in dependencies.registry.all() if page.principal.has(known.slug)]
    return page.render(
        "audit.html",
        entries=[_entry(page, entry) for entry in shown],
        more=more,
        sites=mine,
        site=site or "",
        by=page.parameter("who"),
        actions=page.t.named("action."),
        action=page.parameter("action"),
    )


def _entry(page: PageRequest, entry: audit.AuditEntry) -> AuditRow:
    before, after = _fields(entry.before), _fields(entry.after)
    site = page.dependencies.registry.get(entry.site)
    return AuditRow(
        at=page.t.moment(entry.at, site.zone_at(entry.at) if site else DEFAULT_TIMEZONE),
        who=page.t.actor(entry.who),
        action=page.t.known(f"action.{entry.action}", entry.action),
        subject=page.t("audit.unknown") if entry.subject == UNKNOWN else entry.subject,
        changes=[
            FieldChange(
                name,
                page.t.value(name, before.get(name)),
                page.t.value(name, after.get(name)),
            )
            for name in dict.fromkeys([*before, *after])
            if before.get(name) not in (None, "", [], {}) or after.get(name) not in (None, "", [])
        ],
        failed=bool(entry.failed),
    )


def _fields(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
