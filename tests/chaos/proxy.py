"""A small TCP proxy between two services, which can cut, refuse, hold and delay what passes."""

import asyncio
import contextlib
import random
from typing import Self


class Proxy:
    """Forwards one loopback port to another."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.refuses = False
        self.delay = 0.0
        """Seconds by which every answer comes later."""
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def reset(self) -> None:
        """Cut every connection at once, in the middle of whatever it carries."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing through, without closing anything."""
        self._open.clear()

    def heal(self) -> None:
        self.refuses = False
        self._open.set()

    async def cut(self, chance: random.Random) -> int:
        """Cut every connection several times, with short pauses; return how often."""
        times = chance.randrange(1, 30)
        for _ in range(times):
            self.reset()
            await asyncio.sleep(chance.uniform(0.01, 0.2))
        return times

    async def hold_for(self, seconds: float) -> None:
        """Let nothing through for so long, then deliver it."""
        self.hold()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.heal()

    async def refuse_for(self, seconds: float) -> None:
        """Cut every connection, and let nobody connect for so long."""
        self.refuses = True
        self.reset()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.heal()

    async def stop(self) -> None:
        self.refuses = True
        if self._server is not None:
            self._server.close()
        # Whom the system has let in already, and nobody has spoken to yet, is turned away here.
        await asyncio.sleep(0)
        self._open.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.reset()
        # An aborted connection is closed in the next turn of the loop, which may be the last.
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        behind: asyncio.StreamWriter | None = None
        try:
            far, behind = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(behind)
            ways = [
                asyncio.create_task(self._copy(reader, behind)),
                asyncio.create_task(self._copy(far, writer, answers=True)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            # Of a connection that ends cancelled, by stop(), Python 3.11 prints a traceback.
            pass
        finally:
            for end in (writer, behind):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if answers and self.delay:
                    await asyncio.sleep(self.delay)
                await self._open.wait()
                writer.write(data)
                await writer.drain()
