"""Users who sign in to the API of a test."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from tests.integration.api.world import TOKEN

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = "bánh mì và cà phê"


async def add_user(
    client: httpx.AsyncClient, name: str, role: str = "viewer", sites: tuple[str, ...] = ("mytho",)
) -> None:
    body = {"name": name, "password": PASSWORD, "role": role, "sites": sites}
    added = await client.post("/api/admin/users", json=body, headers=ADMIN)
    assert added.status_code == 201, added.text


async def sign_in(
    client: httpx.AsyncClient, name: str, password: str = PASSWORD, **headers: str
) -> httpx.Response:
    body = {"name": name, "password": password}
    return await client.post("/api/admin/sign-in", json=body, headers=headers)


@contextlib.asynccontextmanager
async def browser(of: httpx.AsyncClient, name: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that is signed in, with a cookie jar of its own and its CSRF token."""
    async with httpx.AsyncClient(base_url=of.base_url) as own:
        signed = await sign_in(own, name)
        assert signed.status_code == 200, signed.text
        own.headers["X-CSRF-Token"] = signed.json()["csrf"]
        yield own


async def audit(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/admin/audit", params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries
