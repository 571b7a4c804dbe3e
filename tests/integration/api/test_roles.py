"""Who may use which address: every route of the application stands in the table below."""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute, Mount, Route

from services.api.app import Api
from services.api.sites.new_slug import TAKEN
from tests.integration.api.world import TOKEN, Clock

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("cheap_passwords"),
]

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
HEAD_AND_OPTIONS = {"HEAD", "OPTIONS"}

# Who, from nobody up; each may do what those before may.
ANYBODY, VIEWER, EDITOR, OWNER = range(4)
RANKS = {"send": ANYBODY, "backup": ANYBODY, "viewer": VIEWER, "editor": EDITOR, "owner": OWNER}
SITE = "/api/admin/sites/mytho"

# route → who may, an address to try, and what answers them. A site in the address must be theirs.
TABLE: dict[str, tuple[int, str, int]] = {
    "GET /api/counter/{site}": (ANYBODY, "/api/counter/mytho", 200),
    "GET /api/top/{site}": (ANYBODY, "/api/top/mytho", 403),
    "GET /js/{name:str}": (ANYBODY, "/js/none", 404),
    "GET /openapi.json": (ANYBODY, "/openapi.json", 200),
    "GET /docs": (ANYBODY, "/docs", 200),
    "GET /healthz": (ANYBODY, "/healthz", 200),
    "GET /readyz": (ANYBODY, "/readyz", 200),
    "GET /metrics": (ANYBODY, "/metrics", 200),
    "GET /.well-known/security.txt": (ANYBODY, "/.well-known/security.txt", 404),
    "GET /api/script": (ANYBODY, "/api/script", 200),
    **{
        f"GET /counter/{{site}}.{kind}": (ANYBODY, f"/counter/mytho.{kind}", 200)
        for kind in ("svg", "html", "txt")
    },
    "POST /api/v2/query": (VIEWER, "/api/v2/query", 400),
    "POST /api/admin/sign-in": (ANYBODY, "/api/admin/sign-in", 400),
    "GET /admin/sign-in/oidc": (ANYBODY, "/admin/sign-in/oidc", 404),
    "GET /admin/sign-in/oidc/back": (ANYBODY, "/admin/sign-in/oidc/back", 404),
    "GET /admin/sign-in/oidc/leave": (ANYBODY, "/admin/sign-in/oidc/leave", 404),
    "POST /api/admin/sign-out": (ANYBODY, "/api/admin/sign-out", 204),
    "GET /api/admin/whoami": (VIEWER, "/api/admin/whoami", 200),
    "PUT /api/admin/password": (VIEWER, "/api/admin/password", 400),
    # One's own account: a program has none, so its tokens are told so once their role is enough.
    "GET /api/admin/account": (VIEWER, "/api/admin/account", 403),
    "POST /api/admin/prove": (VIEWER, "/api/admin/prove", 400),
    "DELETE /api/admin/sessions": (VIEWER, "/api/admin/sessions", 403),
    "DELETE /api/admin/sessions/{id}": (VIEWER, "/api/admin/sessions/none", 403),
    "POST /api/admin/second-factor/secret": (VIEWER, "/api/admin/second-factor/secret", 403),
    "PUT /api/admin/second-factor": (VIEWER, "/api/admin/second-factor", 400),
    **{
        f"POST /api/admin/second-factor/{step}": (VIEWER, f"/api/admin/second-factor/{step}", 400)
        for step in ("off", "recovery-codes")
    },
    "GET /api/admin/sites": (VIEWER, "/api/admin/sites", 200),
    "POST /api/admin/sites": (OWNER, "/api/admin/sites", 400),
    "GET /api/admin/sites/{slug}": (VIEWER, SITE, 200),
    "GET /api/admin/sites/{slug}/timezone": (VIEWER, f"{SITE}/timezone?to=Asia/Tokyo", 200),
    "GET /api/admin/sites/{slug}/ingest": (VIEWER, f"{SITE}/ingest", 200),
    "PATCH /api/admin/sites/{slug}": (EDITOR, SITE, 400),
    "DELETE /api/admin/sites/{slug}": (OWNER, SITE, 204),
    "POST /api/admin/sites/{slug}/rename": (OWNER, f"{SITE}/rename", 400),
    "POST /api/admin/sites/{slug}/merge": (OWNER, f"{SITE}/merge", 400),
    "DELETE /api/admin/sites/{slug}/merge": (OWNER, f"{SITE}/merge", 200),
    "POST /api/admin/sites/{slug}/restore": (OWNER, f"{SITE}/restore", 409),
    "GET /api/admin/sites/{slug}/erase": (OWNER, f"{SITE}/erase", 200),
    "POST /api/admin/sites/{slug}/erase": (OWNER, f"{SITE}/erase", 400),
    "DELETE /api/admin/sites/{slug}/shown": (OWNER, f"{SITE}/shown", 204),
    "GET /api/admin/sites/{slug}/balances": (VIEWER, f"{SITE}/balances", 200),
    "POST /api/admin/sites/{slug}/balances": (EDITOR, f"{SITE}/balances", 400),
    "POST /api/admin/sites/{slug}/balances/bulk": (EDITOR, f"{SITE}/balances/bulk", 400),
    "GET /api/admin/sites/{slug}/balances/bulk/{bulk}": (
        VIEWER,
        f"{SITE}/balances/bulk/none",
        404,
    ),
    "POST /api/admin/sites/{slug}/balances/bulk/{bulk}/reverse": (
        EDITOR,
        f"{SITE}/balances/bulk/none/reverse",
        400,
    ),
    "GET /api/admin/sites/{slug}/balances/{entry}": (VIEWER, f"{SITE}/balances/none", 404),
    "GET /api/admin/sites/{slug}/corrections": (VIEWER, f"{SITE}/corrections", 200),
    "POST /api/admin/sites/{slug}/corrections": (EDITOR, f"{SITE}/corrections", 400),
    "POST /api/admin/sites/{slug}/corrections/preview": (
        EDITOR,
        f"{SITE}/corrections/preview",
        400,
    ),
    "POST /api/admin/sites/{slug}/corrections/{id}/reverse": (
        EDITOR,
        f"{SITE}/corrections/none/reverse",
        400,
    ),
    "GET /api/admin/sites/{slug}/alerts": (EDITOR, f"{SITE}/alerts", 200),
    "PUT /api/admin/sites/{slug}/alerts": (EDITOR, f"{SITE}/alerts", 400),
    "POST /api/admin/sites/{slug}/alerts/test": (EDITOR, f"{SITE}/alerts/test", 400),
    "GET /api/admin/sites/{slug}/annotations": (VIEWER, f"{SITE}/annotations", 200),
    "POST /api/admin/sites/{slug}/annotations": (EDITOR, f"{SITE}/annotations", 400),
    "PATCH /api/admin/sites/{slug}/annotations/{id}": (EDITOR, f"{SITE}/annotations/none", 400),
    "DELETE /api/admin/sites/{slug}/annotations/{id}": (EDITOR, f"{SITE}/annotations/none", 404),
    "GET /api/admin/sites/{slug}/titles": (VIEWER, f"{SITE}/titles", 200),
    "PUT /api/admin/sites/{slug}/titles": (EDITOR, f"{SITE}/titles", 400),
    "DELETE /api/admin/sites/{slug}/titles": (EDITOR, f"{SITE}/titles?path=/none", 404),
    "POST /api/admin/sites/{slug}/titles/import": (EDITOR, f"{SITE}/titles/import", 400),
    "GET /api/admin/sites/{slug}/titles/plan": (VIEWER, f"{SITE}/titles/plan", 200),
    "PATCH /api/admin/sites/{slug}/titles/plan": (EDITOR, f"{SITE}/titles/plan", 400),
    "GET /api/admin/sites/{slug}/titles/fetch": (VIEWER, f"{SITE}/titles/fetch", 200),
    "POST /api/admin/sites/{slug}/titles/fetch": (EDITOR, f"{SITE}/titles/fetch", 400),
    "DELETE /api/admin/sites/{slug}/titles/fetch": (EDITOR, f"{SITE}/titles/fetch", 409),
    "GET /api/admin/sites/{slug}/shares": (EDITOR, f"{SITE}/shares", 200),
    "POST /api/admin/sites/{slug}/shares": (EDITOR, f"{SITE}/shares", 400),
    "DELETE /api/admin/sites/{slug}/shares/{id}": (EDITOR, f"{SITE}/shares/none", 404),
    **{
        f"GET {prefix}{below}": (ANYBODY, prefix.format(slug="mytho", secret="none") + told, 404)
        for prefix in ("/public/{slug}", "/share/{secret}")
        for below, told in (
            ("", ""),
            ("/csv/{panel}", "/csv/pages"),
            ("/all/{panel}", "/all/page"),
            ("/all/{panel}/csv", "/all/page/csv"),
            ("/online", "/online"),
        )
    },
    "GET /api/admin/sites/{slug}/peaks/{day}": (VIEWER, f"{SITE}/peaks/today", 200),
    **{
        f"POST /api/admin/sites/{{slug}}/peaks/{{day}}/{what}": (
            EDITOR,
            f"{SITE}/peaks/today/{what}",
            400,
        )
        for what in ("reset", "restore")
    },
    "GET /api/admin/sites/{slug}/other-views": (VIEWER, f"{SITE}/other-views?day=2024-01-03", 200),
    "POST /api/admin/sites/{slug}/other-views": (EDITOR, f"{SITE}/other-views", 400),
    **{
        f"GET /api/admin/sites/{{slug}}/export/{what}": (EDITOR, f"{SITE}/export/{what}", 200)
        for what in ("hits", "counters")
    },
    "GET /api/admin/users": (OWNER, "/api/admin/users", 200),
    "POST /api/admin/users": (OWNER, "/api/admin/users", 400),
    "PATCH /api/admin/users/{name}": (OWNER, "/api/admin/users/lan", 400),
    "PUT /api/admin/users/{name}/password": (OWNER, "/api/admin/users/lan/password", 400),
    "DELETE /api/admin/users/{name}": (OWNER, "/api/admin/users/lan", 404),
    "DELETE /api/admin/users/{name}/second-factor": (
        OWNER,
        "/api/admin/users/lan/second-factor",
        404,
    ),
    "GET /api/admin/tokens": (OWNER, "/api/admin/tokens", 200),
    "POST /api/admin/tokens": (OWNER, "/api/admin/tokens", 400),
    "DELETE /api/admin/tokens/{id}": (OWNER, "/api/admin/tokens/none", 404),
    "GET /api/admin/groups": (VIEWER, "/api/admin/groups", 200),
    "POST /api/admin/groups": (OWNER, "/api/admin/groups", 400),
    "GET /api/admin/groups/{group}": (VIEWER, "/api/admin/groups/none", 404),
    "PATCH /api/admin/groups/{group}": (OWNER, "/api/admin/groups/none", 400),
    "DELETE /api/admin/groups/{group}": (OWNER, "/api/admin/groups/none", 404),
    "GET /api/admin/audit": (EDITOR, "/api/admin/audit", 200),
    **{
        f"GET /api/v1/stats/{name}": (VIEWER, f"/api/v1/stats/{name}?site_id=mytho{more}", 200)
        for name, more in {
            "realtime/visitors": "",
            "aggregate": "",
            "timeseries": "",
            "breakdown": "&property=event:page",
        }.items()
    },
    "GET /api/v1/reports/{slug}": (VIEWER, "/api/v1/reports/mytho", 200),
    "GET /api/admin/groups/{group}/shares": (EDITOR, "/api/admin/groups/none/shares", 404),
    "POST /api/admin/groups/{group}/shares": (EDITOR, "/api/admin/groups/none/shares", 400),
    "DELETE /api/admin/groups/{group}/shares/{id}": (
        EDITOR,
        "/api/admin/groups/none/shares/none",
        404,
    ),
    "GET /api/v1/groups/{group}/report": (VIEWER, "/api/v1/groups/none/report", 404),
    "GET /api/v1/sites": (VIEWER, "/api/v1/sites", 200),
    "GET /api/v1/table": (VIEWER, "/api/v1/table", 200),
    "GET /api/admin/sites/{slug}/imports": (VIEWER, f"{SITE}/imports", 200),
    "PUT /api/admin/sites/{slug}/imports/{digest}": (EDITOR, f"{SITE}/imports/none", 400),
    "GET /api/admin/sites/{slug}/imports/{digest}/undo": (
        EDITOR,
        f"{SITE}/imports/none/undo",
        400,
    ),
    "POST /api/admin/sites/{slug}/imports/{digest}/undo": (
        EDITOR,
        f"{SITE}/imports/none/undo",
        400,
    ),
    **{
        f"POST /api/admin/sites/{{slug}}/imports/{{digest}}/{step}": (
            EDITOR,
            f"{SITE}/imports/none/{step}",
            400,
        )
        for step in ("chunks", "done")
    },
    "GET /api/admin/tail": (VIEWER, "/api/admin/tail?since=x", 400),
    # Pages, as a program sees them: a browser is led to the sign-in instead of a 401.
    "GET /admin/static/{name}": (ANYBODY, "/admin/static/admin.css", 200),
    "GET /admin/sign-in": (ANYBODY, "/admin/sign-in?lang=en", 200),
    "POST /admin/sign-in": (ANYBODY, "/admin/sign-in", 400),
    "POST /admin/sign-out": (ANYBODY, "/admin/sign-out", 400),
    "GET /admin": (VIEWER, "/admin", 200),
    "GET /admin/sites.{ending}": (VIEWER, "/admin/sites.csv", 200),
    "GET /admin/groups": (VIEWER, "/admin/groups", 200),
    "GET /admin/new-group": (OWNER, "/admin/new-group", 200),
    "POST /admin/new-group": (OWNER, "/admin/new-group", 400),
    "GET /admin/groups/{group}": (VIEWER, "/admin/groups/none", 404),
    "GET /admin/groups/{group}/sites.{ending}": (VIEWER, "/admin/groups/none/sites.csv", 404),
    "GET /admin/groups/{group}/edit": (OWNER, "/admin/groups/none/edit", 404),
    "POST /admin/groups/{group}/edit": (OWNER, "/admin/groups/none/edit", 400),
    "POST /admin/groups/{group}/remove": (OWNER, "/admin/groups/none/remove", 400),
    "GET /public/groups/{group}": (ANYBODY, "/public/groups/none", 404),
    "GET /public/groups/{group}/sites.{ending}": (
        ANYBODY,
        "/public/groups/none/sites.csv",
        404,
    ),
    "GET /admin/new-site": (OWNER, "/admin/new-site", 200),
    "POST /admin/new-site": (OWNER, "/admin/new-site", 400),
    "GET /admin/sites/{slug}": (VIEWER, "/admin/sites/mytho", 200),
    "GET /admin/sites/{slug}/csv/{panel}": (VIEWER, "/admin/sites/mytho/csv/page", 200),
    "GET /admin/sites/{slug}/all/{panel}": (VIEWER, "/admin/sites/mytho/all/page", 200),
    "GET /admin/sites/{slug}/all/{panel}/csv": (VIEWER, "/admin/sites/mytho/all/page/csv", 200),
    "GET /admin/sites/{slug}/report": (VIEWER, "/admin/sites/mytho/report", 200),
    "GET /admin/sites/{slug}/report.xlsx": (VIEWER, "/admin/sites/mytho/report.xlsx", 200),
    "GET /admin/sites/{slug}/report/mail": (EDITOR, "/admin/sites/mytho/report/mail", 200),
    "POST /admin/sites/{slug}/report/mail": (EDITOR, "/admin/sites/mytho/report/mail", 400),
    "POST /admin/sites/{slug}/report/mail/test": (
        OWNER,
        "/admin/sites/mytho/report/mail/test",
        400,
    ),
    "POST /admin/sites/{slug}/report/mail/{id}/remove": (
        EDITOR,
        "/admin/sites/mytho/report/mail/none/remove",
        400,
    ),
    "GET /admin/groups/{group}/report": (VIEWER, "/admin/groups/none/report", 404),
    "GET /admin/groups/{group}/report.xlsx": (VIEWER, "/admin/groups/none/report.xlsx", 404),
    **{
        f"{way} /admin/groups/{{group}}/{page}": (EDITOR, f"/admin/groups/none/{page}", status)
        for page in ("report/mail", "sharing")
        for way, status in (("GET", 404), ("POST", 400))
    },
    "POST /admin/groups/{group}/report/mail/test": (
        OWNER,
        "/admin/groups/none/report/mail/test",
        400,
    ),
    "POST /admin/groups/{group}/report/mail/{id}/remove": (
        EDITOR,
        "/admin/groups/none/report/mail/none/remove",
        400,
    ),
    "POST /admin/groups/{group}/sharing/{id}/withdraw": (
        EDITOR,
        "/admin/groups/none/sharing/none/withdraw",
        400,
    ),
    **{
        f"GET /share/{{secret}}/{name}": (ANYBODY, f"/share/none/{name}", 404)
        for name in ("report", "report.xlsx")
    },
    "GET /admin/sites/{slug}/embed": (VIEWER, "/admin/sites/mytho/embed", 200),
    "GET /admin/sites/{slug}/settings": (EDITOR, "/admin/sites/mytho/settings", 200),
    "POST /admin/sites/{slug}/settings": (EDITOR, "/admin/sites/mytho/settings", 400),
    "GET /admin/sites/{slug}/imports": (VIEWER, "/admin/sites/mytho/imports", 200),
    "GET /admin/sites/{slug}/imports/{digest}/undo": (
        EDITOR,
        "/admin/sites/mytho/imports/none/undo",
        404,
    ),
    "POST /admin/sites/{slug}/imports/{digest}/undo": (
        EDITOR,
        "/admin/sites/mytho/imports/none/undo",
        400,
    ),
    "GET /admin/sites/{slug}/balances": (VIEWER, "/admin/sites/mytho/balances", 200),
    "POST /admin/sites/{slug}/balances": (EDITOR, "/admin/sites/mytho/balances", 400),
    "GET /admin/sites/{slug}/balances/block": (EDITOR, "/admin/sites/mytho/balances/block", 200),
    "POST /admin/sites/{slug}/balances/file": (EDITOR, "/admin/sites/mytho/balances/file", 400),
    "POST /admin/sites/{slug}/balances/{id}/reverse": (
        EDITOR,
        "/admin/sites/mytho/balances/none/reverse",
        400,
    ),
    "GET /admin/sites/{slug}/corrections": (EDITOR, "/admin/sites/mytho/corrections", 200),
    "POST /admin/sites/{slug}/corrections": (EDITOR, "/admin/sites/mytho/corrections", 400),
    "POST /admin/sites/{slug}/corrections/{id}/reverse": (
        EDITOR,
        "/admin/sites/mytho/corrections/none/reverse",
        400,
    ),
    "POST /admin/sites/{slug}/peak": (EDITOR, "/admin/sites/mytho/peak", 400),
    "POST /admin/sites/{slug}/hidden": (EDITOR, "/admin/sites/mytho/hidden", 400),
    "GET /admin/sites/{slug}/titles": (VIEWER, "/admin/sites/mytho/titles", 200),
    "POST /admin/sites/{slug}/titles": (EDITOR, "/admin/sites/mytho/titles", 400),
    "GET /admin/sites/{slug}/titles.csv": (VIEWER, "/admin/sites/mytho/titles.csv", 200),
    "POST /admin/sites/{slug}/titles/file": (EDITOR, "/admin/sites/mytho/titles/file", 400),
    **{
        f"POST /admin/sites/{{slug}}/titles/{what}": (
            EDITOR,
            f"/admin/sites/mytho/titles/{what}",
            400,
        )
        for what in ("remove", "plan", "fetch", "cancel")
    },
    "GET /admin/sites/{slug}/notes": (VIEWER, "/admin/sites/mytho/notes", 200),
    "POST /admin/sites/{slug}/notes": (EDITOR, "/admin/sites/mytho/notes", 400),
    "GET /admin/sites/{slug}/notes/csv": (VIEWER, "/admin/sites/mytho/notes/csv", 200),
    "POST /admin/sites/{slug}/notes/{id}/remove": (
        EDITOR,
        "/admin/sites/mytho/notes/none/remove",
        400,
    ),
    "GET /admin/sites/{slug}/alerts": (EDITOR, "/admin/sites/mytho/alerts", 200),
    "POST /admin/sites/{slug}/alerts": (EDITOR, "/admin/sites/mytho/alerts", 400),
    "POST /admin/sites/{slug}/alerts/test": (EDITOR, "/admin/sites/mytho/alerts/test", 400),
    "GET /admin/sites/{slug}/sharing": (EDITOR, "/admin/sites/mytho/sharing", 200),
    "POST /admin/sites/{slug}/sharing": (EDITOR, "/admin/sites/mytho/sharing", 400),
    "POST /admin/sites/{slug}/sharing/frames": (EDITOR, "/admin/sites/mytho/sharing/frames", 400),
    "POST /admin/sites/{slug}/sharing/{id}/withdraw": (
        EDITOR,
        "/admin/sites/mytho/sharing/none/withdraw",
        400,
    ),
    "POST /admin/sites/{slug}/remove": (OWNER, "/admin/sites/mytho/remove", 400),
    "GET /admin/users": (OWNER, "/admin/users", 200),
    "POST /admin/users": (OWNER, "/admin/users", 400),
    "GET /admin/users/{name}": (OWNER, "/admin/users/lan", 404),
    "POST /admin/users/{name}": (OWNER, "/admin/users/lan", 400),
    "POST /admin/users/{name}/password": (OWNER, "/admin/users/lan/password", 400),
    "POST /admin/users/{name}/remove": (OWNER, "/admin/users/lan/remove", 400),
    "POST /admin/users/{name}/second-factor/reset": (
        OWNER,
        "/admin/users/lan/second-factor/reset",
        400,
    ),
    "GET /admin/account": (VIEWER, "/admin/account", 200),
    "POST /admin/account": (VIEWER, "/admin/account", 400),
    "POST /admin/account/sessions": (VIEWER, "/admin/account/sessions", 400),
    "POST /admin/account/sessions/{id}": (VIEWER, "/admin/account/sessions/none", 400),
    "GET /admin/second-factor": (VIEWER, "/admin/second-factor", 403),
    "POST /admin/second-factor": (VIEWER, "/admin/second-factor", 400),
    "POST /admin/second-factor/off": (VIEWER, "/admin/second-factor/off", 400),
    "POST /admin/second-factor/recovery-codes": (
        VIEWER,
        "/admin/second-factor/recovery-codes",
        400,
    ),
    "GET /admin/tokens": (OWNER, "/admin/tokens", 200),
    "POST /admin/tokens": (OWNER, "/admin/tokens", 400),
    "POST /admin/tokens/{id}/revoke": (OWNER, "/admin/tokens/none/revoke", 400),
    "GET /admin/audit": (EDITOR, "/admin/audit", 200),
    "GET /api/admin/backup": (OWNER, "/api/admin/backup", 200),
    "POST /api/admin/backup": (OWNER, "/api/admin/backup", 400),
    "GET /api/admin/doctor": (OWNER, "/api/admin/doctor", 200),
}
# What a token of an owner may not do, either, but one that is made for it.
ALONE = {"GET /api/admin/backup": "backup"}
# What a token with this role may do, besides those who rank high enough.
ALSO = {"POST /api/admin/backup": "backup"}
# Pages that lead on whoever is signed in; a token that is wrong is refused there, too.
DOORS = (
    "GET /admin/sign-in",
    "GET /admin/sign-in/oidc",
    "GET /admin/sign-in/oidc/back",
    "GET /admin/sign-in/oidc/leave",
    "POST /admin/sign-out",
)
# The scripts, in every version: they are what portals embed.
PUBLIC_FILES = (".js", ".js.map")


def routes(of: list[BaseRoute], prefix: str = "") -> Iterator[str]:
    """Return every method and path that is answered, however deep it is mounted."""
    for route in of:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner.routes, prefix)
        elif isinstance(route, Mount):
            yield from routes(list(route.routes), prefix + route.path)
        else:
            assert isinstance(route, Route), f"{route!r}: teach this test what it answers"
            for method in (route.methods or {"ANY"}) - HEAD_AND_OPTIONS:
                yield f"{method} {prefix}{route.path}"


async def make_token(client: httpx.AsyncClient, **fields: Any) -> tuple[str, str]:
    made = await client.post("/api/admin/tokens", json=fields, headers=ADMIN)
    assert made.status_code == 201, made.text
    return made.json()["id"], made.json()["token"]


async def test_every_route_stands_in_the_table_and_nothing_else_does(api: Api) -> None:
    found = [route for route in routes(api.application.routes) if not route.endswith(PUBLIC_FILES)]

    missing = sorted(set(found) - set(TABLE))
    assert missing == [], "say in TABLE who may use it"
    assert sorted(set(TABLE) - set(found)) == []


def named(segment: str, text: str) -> str | None:
    """Return what a segment of a route takes from a text; '' for nothing, None if it is another."""
    escaped = [re.escape(part) for part in re.split(r"\{\w+\}", segment)]
    found = re.fullmatch("(.+)".join(escaped), text)
    return None if found is None else "".join(found.groups())


def collisions(taken: Collection[str]) -> Iterator[tuple[str, str, set[str]]]:
    """Yield two routes, and slugs of sites and groups with which both have one address.

    taken  slugs that no site can have
    """
    for one, other in permutations(TABLE, 2):
        (way, path), (other_way, other_path) = one.split(" "), other.split(" ")
        if way != other_way or path.count("/") != other_path.count("/"):
            continue
        slugs, is_same = set[str](), True
        for segment, there in zip(path.split("/"), other_path.split("/"), strict=True):
            if "{" in there:
                is_same &= not (segment in taken and "{slug}" in there)
                continue
            found = named(segment, there)
            is_same &= found is not None and not (found in taken and "{slug}" in segment)
            if found and re.search(r"\{(slug|group)\}", segment):
                slugs.add(found)
        if is_same and slugs:
            yield one, other, slugs


async def test_no_slug_makes_two_routes_have_one_address() -> None:
    assert list(collisions(TAKEN)) == []
    without = [slug for *_, slugs in collisions(()) for slug in slugs]
    assert sorted(set(without)) == ["all", "csv", "groups", "online"]


async def test_every_route_answers_whom_the_table_says_and_nobody_else(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    there = {"slug": "danang"}
    assert (await client.post("/api/admin/sites", json=there, headers=ADMIN)).status_code == 201
    for group in ({"slug": "tinh"}, {"slug": "xa", "parent": "tinh", "sites": ["mytho"]}):
        made = await client.post("/api/admin/groups", json=group, headers=ADMIN)
        assert made.status_code == 201, made.text
    soon = datetime.fromtimestamp(clock.now, UTC) + timedelta(seconds=10)
    revoked = await make_token(client, role="owner")
    expired = await make_token(client, role="owner", expires_at=soon.isoformat())
    known = {
        ("send", "mytho"): await make_token(client, role="send", sites=["mytho"]),
        # It has no site, so those of the addresses are there for it as little as for strangers.
        ("backup", "danang"): await make_token(client, role="backup"),
        ("viewer", "mytho"): await make_token(client, role="viewer", sites=["mytho"]),
        ("editor", "mytho"): await make_token(client, role="editor", sites=["mytho"]),
        # By the group above the one that the site is in.
        ("viewer", "tinh"): await make_token(client, role="viewer", sites=["group/tinh"]),
        ("editor", "tinh"): await make_token(client, role="editor", sites=["group/tinh"]),
        ("viewer", "danang"): await make_token(client, role="viewer", sites=["danang"]),
        ("editor", "danang"): await make_token(client, role="editor", sites=["danang"]),
        ("owner", "mytho"): await make_token(client, role="owner"),
    }
    strangers = [None, revoked[1], expired[1], "luot_invented", TOKEN + "x"]
    await client.delete(f"/api/admin/tokens/{revoked[0]}", headers=ADMIN)
    clock.now += 11
    wrong = []

    async def ask(route: str, who: object, token: str | None, expected: int) -> None:
        method, address = route.partition(" ")[0], TABLE[route][1]
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = await client.request(method, address, headers=headers)
        assert answer.status_code < 400 or answer.json()["errors"]
        if answer.status_code != expected:
            wrong.append((route, who, answer.status_code, expected))

    for route in sorted(TABLE, key=lambda route: TABLE[route][1:] == (SITE, 204)):
        least, _, welcome = TABLE[route]
        for stranger in strangers:
            refused = least > ANYBODY or (route in DOORS and stranger is not None)
            await ask(route, stranger, stranger, 401 if refused else welcome)
        if route in DOORS:
            continue
        for (role, site), (_, token) in known.items():
            expected = welcome if RANKS[role] >= least else 403
            if role == ALSO.get(route):
                expected = welcome
            if route in ALONE:
                expected = welcome if role == ALONE[route] else 403
            if "mytho" in TABLE[route][1] and least > ANYBODY and site == "danang":
                expected = 404
            await ask(route, (role, site), token, expected)
    assert not wrong, "route, who, answered, expected:\n" + "\n".join(map(str, wrong))
