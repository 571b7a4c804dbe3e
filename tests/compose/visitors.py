"""Readers of a portal, through the proxy and TLS: hits at a rate, and numbers beside them."""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from tests.servers.system import BROWSER

NAME = "thongke.example.vn"
SITE = "mytho"
READS_PER_HIT = 0.1
AT_ONCE = 100
"""So many wait for an answer at most: on a busy machine, fewer come."""


class Visitors:
    """Sends what browsers do. `answers` counts what came back, `accepted` the hits that count."""

    def __init__(self, port: int, certificate: Path, seed: int = 1) -> None:
        context = ssl.create_default_context(cafile=certificate)
        self._port = port
        self._client = httpx.AsyncClient(
            verify=context,
            timeout=120,
            limits=httpx.Limits(max_connections=2 * AT_ONCE, max_keepalive_connections=AT_ONCE),
        )
        self._random = random.Random(seed)
        self.accepted = 0
        self.answers: Counter[str] = Counter()

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, method: str, path: str, **options: object) -> httpx.Response:
        """Ask the proxy by its name, from the address of some visitor."""
        address = f"100.64.{self._random.randrange(256)}.{self._random.randrange(256)}"
        headers = {"Host": NAME, "User-Agent": BROWSER, "X-Forwarded-For": address}
        return await self._client.request(
            method,
            f"https://127.0.0.1:{self._port}{path}",
            headers=headers,
            extensions={"sni_hostname": NAME},
            **options,  # type: ignore[arg-type]
        )

    async def hit(self) -> None:
        """View a page; what is neither counted nor answered is told in `answers`."""
        event = {
            "n": "pageview",
            "d": SITE,
            "u": f"https://{SITE}.example/bai-{self._random.randrange(200)}",
            "k": f"{self._random.getrandbits(64):016x}",
        }
        try:
            answer = await self.ask("POST", "/e", json=event)
        except httpx.TransportError as error:
            self.answers[f"hit: {type(error).__name__}"] += 1
            return
        dropped = answer.headers.get("X-Luot-Dropped", "")
        self.answers[f"hit: {answer.status_code} {dropped}".strip()] += 1
        self.accepted += answer.status_code == 202 and not dropped

    async def read(self) -> None:
        """Look at the numbers."""
        try:
            answer = await self.ask("GET", f"/api/counter/{SITE}")
        except httpx.TransportError as error:
            self.answers[f"read: {type(error).__name__}"] += 1
            return
        self.answers[f"read: {answer.status_code}"] += 1

    async def numbers(self) -> dict[str, object]:
        """Return the public numbers, by views.

        Where a site is new, one of two APIs knows it some seconds before the other.
        """
        answer = await self.ask("GET", f"/api/counter/{SITE}?metric=views")
        for _ in range(60):
            if answer.status_code != 404:
                break
            await asyncio.sleep(0.5)
            answer = await self.ask("GET", f"/api/counter/{SITE}?metric=views")
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
        return found

    @asynccontextmanager
    async def coming(self, rate: float) -> AsyncIterator[None]:
        """Come at a rate of hits a second, until the end."""
        tasks: set[asyncio.Task[None]] = set()

        async def come() -> None:
            loop = asyncio.get_running_loop()
            began, sent = loop.time(), 0
            while True:
                due = int((loop.time() - began) * rate)
                for _ in range(min(due - sent, AT_ONCE - len(tasks))):
                    sent += 1
                    tasks.add(asyncio.create_task(self.hit()))
                    if self._random.random() < READS_PER_HIT:
                        tasks.add(asyncio.create_task(self.read()))
                # What could not come is not made up for.
                sent = max(sent, due - AT_ONCE)
                await asyncio.sleep(0.01)
                tasks.difference_update([task for task in tasks if task.done()])

        coming = asyncio.create_task(come())
        try:
            yield
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming
            await asyncio.gather(*tasks)
