"""Gives every request an id: in the log lines about it, and in the header of its response."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime import request_id


class RequestIds:
    """Takes the id from a proxy, or makes one: plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        known = request_id.use(scope.get(request_id.SCOPE))

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (request_id.HEADER, bytes(known))]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, with_id)
