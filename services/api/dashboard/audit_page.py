"""`/admin/audit`: who changed what."""

from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from services.api.access.audit_routes import place, sites_of
from services.api.dashboard.visit import Visit
from services.http.errors import unavailable
from services.model.site import DEFAULT_TIMEZONE
from services.store import audit
from services.store.interface import StoreError

ENTRIES_A_PAGE = 50


class Change(NamedTuple):
    """One field of a change."""

    field: str
    before: str
    after: str


class Entry(NamedTuple):
    """One entry, as the page shows it."""

    at: str
    who: str
    action: str
    subject: str
    changes: list[Change]
    failed: bool


async def entries(visit: Visit) -> Response:
    """Return the log, the newest first: everything for an owner, else of one's sites."""
    parts = visit.parts
    site = visit.asked("site") or None
    sites = sites_of(visit.who, site, parts.registry)
    before = place(visit.asked("before") or None)
    try:
        found = await audit.newest(
            parts.store, ENTRIES_A_PAGE + 1, before, sites, visit.asked("who") or None
        )
    except StoreError as error:
        raise unavailable(f"the audit log cannot be read: {error}") from error
    shown = found[:ENTRIES_A_PAGE]
    more = f"{shown[-1].at}-{shown[-1].id}" if len(found) > ENTRIES_A_PAGE else ""
    mine = [known for known in parts.registry.all() if visit.who.has(known.slug)]
    return visit.page(
        "audit.html",
        entries=[_entry(visit, entry) for entry in shown],
        more=more,
        sites=mine,
        site=site or "",
        by=visit.asked("who"),
    )


def _entry(visit: Visit, entry: audit.AuditEntry) -> Entry:
    before, after = _fields(entry.before), _fields(entry.after)
    site = visit.parts.registry.get(entry.site)
    return Entry(
        at=visit.t.moment(entry.at, site.timezone if site else DEFAULT_TIMEZONE),
        who=entry.who,
        action=visit.t.known(f"action.{entry.action}", entry.action),
        subject=entry.subject,
        changes=[
            Change(name, _text(before.get(name)), _text(after.get(name)))
            for name in dict.fromkeys([*before, *after])
            if before.get(name) not in (None, "", [], {}) or after.get(name) not in (None, "", [])
        ],
        failed=bool(entry.failed),
    )


def _fields(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any]) if text else {}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return ", ".join(map(_text, value))
        case dict():
            return ", ".join(f"{name}: {_text(of)}" for name, of in value.items())
    return msgspec.json.encode(value).decode()
