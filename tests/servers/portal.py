"""A web portal on a free port of this machine, in the event loop of the test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from services.runtime.tasks import end

HTML = "text/html; charset=utf-8"
XML = "application/xml"


class Asked(NamedTuple):
    """A request, its headers in lower case."""

    path: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What is sent: the body again and again for ever where it is endless."""

    body: bytes = b""
    kind: str = HTML
    status: int = 200
    headers: Mapping[str, str] = {}
    is_endless: bool = False


def redirect(to: str) -> Answer:
    """Return a redirect."""
    return Answer(status=302, headers={"Location": to})


def page(title: str) -> Answer:
    """Return a page with a title."""
    return Answer(f"<!doctype html><html><head><title>{title}</title></head>".encode())


class Portal:
    """Answers by `pages`, by path; what is not there is 404. `asked` has the requests."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer | Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._closing = False

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the address of a page."""
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            await self._answer(reader, writer)
        finally:
            if self._closing:
                writer.transport.abort()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def close(self) -> None:
        """End what is still being answered."""
        self._closing = True
        if self._serving:
            await end(*self._serving)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            pairs = (line.partition(": ") for line in lines if line)
            asked = Asked(first.split(" ")[1], {name.lower(): value for name, _, value in pairs})
            self.asked.append(asked)
            found = self.pages.get(asked.path, Answer(status=404))
            answer = found if isinstance(found, Answer) else found(asked)
            fields = {"Content-Type": answer.kind, "Connection": "close", **answer.headers}
            if not answer.is_endless:
                fields["Content-Length"] = str(len(answer.body))
            text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            writer.write(f"HTTP/1.1 {answer.status} OK\r\n{text}\r\n".encode())
            writer.write(answer.body)
            while answer.is_endless and not writer.is_closing():
                writer.write(answer.body)
                await writer.drain()
                await asyncio.sleep(0.001)
            await writer.drain()


@asynccontextmanager
async def served() -> AsyncIterator[Portal]:
    """Serve a portal for as long as this context."""
    portal = Portal()
    server = await asyncio.start_server(portal.serve, "127.0.0.1", 0)
    portal.port = server.sockets[0].getsockname()[1]
    try:
        yield portal
    finally:
        server.close()
        await portal.close()
        await server.wait_closed()
