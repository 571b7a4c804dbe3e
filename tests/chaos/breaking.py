"""An HTTP proxy before an ingest that closes before some answers, so that browsers repeat."""

import asyncio
import random
import re
from typing import Self

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class BreakingProxy:
    """Passes every request on to one port; a share of them never see their answer."""

    def __init__(self, target: int, share: float, chance: random.Random) -> None:
        self._target = target
        self._share = share
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.broken = 0
        """Requests that were passed on, and whose connection was closed then."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        while self._tasks:
            for end in self._ends:
                end.transport.abort()
            await asyncio.wait(self._tasks, timeout=0.1)

    async def _serve(self, near: asyncio.StreamReader, browser: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._ends.add(browser)
        try:
            far, ingest = await asyncio.open_connection("127.0.0.1", self._target)
            self._ends.add(ingest)
            try:
                await self._pass_on(near, browser, far, ingest)
            finally:
                self._ends.discard(ingest)
                ingest.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # either end may be gone at any moment, in the middle of a message, too
        finally:
            self._ends.discard(browser)
            browser.transport.abort()
            self._tasks.discard(task)

    async def _pass_on(
        self,
        near: asyncio.StreamReader,
        browser: asyncio.StreamWriter,
        far: asyncio.StreamReader,
        ingest: asyncio.StreamWriter,
    ) -> None:
        """Pass requests and answers on until one is not to be answered, or either end is gone."""
        while True:
            ingest.write(await _message(near))
            await ingest.drain()
            is_broken = self._chance.random() < self._share
            if is_broken and self._chance.random() < 0.3:
                break  # before ingest has done anything
            answer = await _message(far)
            if is_broken:
                break
            browser.write(answer)
            await browser.drain()
        self.broken += 1


async def _message(of: asyncio.StreamReader) -> bytes:
    """Return the next request or answer. Raises IncompleteReadError at the end."""
    head = await of.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head + await of.readexactly(int(length[1]) if length else 0)
