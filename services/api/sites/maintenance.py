"""Backup and doctor over HTTP: the only access to stores embedded in a running Luot."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from services.api.access import backup_right
from services.api.access.route import Who, admin_router, needs
from services.api.access.service import Access
from services.api.settings import ApiSettings
from services.backup import frames
from services.backup.run import dump_of
from services.doctor import run
from services.embedded.stores import Stores
from services.http.errors import unavailable
from services.model.account import Role
from services.store.interface import StoreError
from services.store.meta import last_done

_MEDIA_TYPE = "application/vnd.luot.backup"


def router(
    stores: Callable[[], Stores],
    settings: ApiSettings,
    access: Callable[[], Access],
    clock: Callable[[], float],
) -> APIRouter:
    """Return the routes; `stores` and `access` are called for every request."""
    routes = admin_router()

    @routes.get("/backup", response_class=Response)
    @needs(Role.OWNER, also=Role.BACKUP)
    async def backup(request: Request, who: Who) -> Response:
        """Everything the store holds, consistent, as `luot backup` reads it.

        For a token with the role `backup`, and for an owner who gave the password to
        `POST /api/admin/prove` less than ten minutes ago.
        """
        await backup_right.check(request, who, access().authenticator, clock())
        # Recorded before, so that the backup's audit log has it, too.
        async with access().audit.recorded(who, "backup", "everything"):
            messages = dump_of(stores())
            try:
                first = await anext(messages)
            except StoreError as error:
                raise unavailable(f"the store cannot be read: {error}") from error
        return StreamingResponse(_body(first, messages), media_type=_MEDIA_TYPE)

    @routes.post("/backup", status_code=HTTPStatus.NO_CONTENT)
    @needs(Role.OWNER, also=Role.BACKUP)
    async def backed_up(record: BackupRecord) -> None:
        """Take note of what became of a backup, so that metrics say how old the last one is."""
        now = int(clock() * 1000)
        # If that clock is ahead, ours is used.
        values = {
            name: min(value, now) if name.endswith("_ms") else value
            for name, value in record.model_dump(exclude_none=True).items()
        }
        try:
            await last_done.note(stores().store, values)
        except StoreError as error:
            raise unavailable(f"the store takes no records: {error}") from error

    @routes.get("/doctor")
    @needs(Role.OWNER)
    async def doctor(
        days: Annotated[
            int, Query(ge=1, le=run.MAX_DAYS, description="days whose raw hits are recounted")
        ] = run.DEFAULT_DAYS,
    ) -> list[CheckResult]:
        """What `luot doctor` finds: log, store, and the counters against a recount."""
        checks = await run.examine(
            stores(), settings, days, country_database=settings.country_database
        )
        # If the store cannot be written, one of the checks has failed anyway.
        await run.record(stores().store, checks, clock)
        return [CheckResult(**msgspec.to_builtins(check)) for check in checks]

    return routes


class BackupRecord(BaseModel):
    """What a backup came to; times in ms since 1970, UTC."""

    model_config = ConfigDict(extra="forbid")

    backup_finished_ms: int | None = Field(None, ge=0)
    backup_bytes: int | None = Field(None, ge=0)
    backup_verified_ms: int | None = Field(None, ge=0)


class CheckResult(BaseModel):
    """One check; `ok` is null when it could not be made."""

    part: str
    name: str
    ok: bool | None
    found: str
    advice: str


async def _body(
    first: frames.Message, messages: AsyncGenerator[frames.Message, None]
) -> AsyncIterator[bytes]:
    try:
        yield frames.frame(first)
        async for message in messages:
            yield frames.frame(message)
    finally:
        await messages.aclose()
