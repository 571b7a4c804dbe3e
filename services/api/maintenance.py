"""Work on the stores of a running Luot, for admins: the only way in where they are embedded."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable

from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse

from services.api.admin import AdminRoute
from services.api.errors import unavailable
from services.backup import wire
from services.backup.run import dump_of
from services.backup.stores import Stores
from services.store.interface import StoreError

_MEDIA_TYPE = "application/vnd.luot.backup"


def router(stores: Callable[[], Stores], group: str) -> APIRouter:
    """Return the routes; `stores` is asked for with every request."""
    routes = APIRouter(prefix="/api/admin", tags=["admin"], route_class=AdminRoute)

    @routes.get("/backup", response_class=Response)
    async def backup() -> Response:
        """Everything the store holds, consistent, as `luot backup` reads it."""
        messages = dump_of(stores(), group)
        try:
            first = await anext(messages)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error
        return StreamingResponse(_body(first, messages), media_type=_MEDIA_TYPE)

    return routes


async def _body(
    first: wire.Message, messages: AsyncGenerator[wire.Message, None]
) -> AsyncIterator[bytes]:
    try:
        yield wire.frame(first)
        async for message in messages:
            yield wire.frame(message)
    finally:
        await messages.aclose()
