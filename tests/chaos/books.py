"""The generator's own books: which hits were sent, accepted, or left without an answer."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.traffic.client import IngestAddress, IngestAnswer, IngestConnection, LostAnswerError
from tests.servers.system import BROWSER

SITES = tuple(f"cong-{number}" for number in range(5))
PATHS = tuple(f"/tin-tuc/bai-{number}" for number in range(40))
VISITORS = 300
ANSWER_SECONDS = 25.0


class Books:
    """One entry a hit; a hit is known by its number, which travels as its referrer's host."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sent: dict[str, tuple[str, str, int]] = {}
        self.accepted: set[str] = set()
        self.unanswered: set[str] = set()
        self.refused: Counter[str] = Counter()

    def new_hit(self) -> tuple[str, bytes, str]:
        """Return the number, the body and the address of a hit, and write it down as sent."""
        site, path = self.random.choice(SITES), self.random.choice(PATHS)
        visitor = self.random.randrange(VISITORS)
        number = f"h{len(self.sent)}.example"
        self.sent[number] = (site, path, visitor)
        url = f"https://{site}.example{path}"
        body = {"n": "pageview", "d": site, "u": url, "r": f"https://{number}/"}
        return number, json.dumps(body).encode(), f"10.1.{visitor // 250}.{visitor % 250 + 1}"

    def answered(self, number: str, answer: IngestAnswer) -> None:
        if answer.status == 202 and not answer.dropped:
            self.accepted.add(number)
        elif answer.status == 503:
            # Refused after an append without a reply: it may be in the log.
            self.unanswered.add(number)
            self.refused["503"] += 1
        else:
            self.refused[f"{answer.status} {answer.dropped}".strip()] += 1


class Generator:
    """Sends hits at a steady rate over several connections to every ingest."""

    def __init__(self, books: Books, urls: list[str], rate: float, connections: int = 12) -> None:
        self.books = books
        self._servers = [IngestAddress.at(url) for url in urls]
        self._pause = connections / rate
        self._connections = connections
        self._stopped = asyncio.Event()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send in the background; every hit has its answer when this is left."""
        async with asyncio.TaskGroup() as group:
            for index in range(self._connections):
                group.create_task(self._send(self._servers[index % len(self._servers)]))
            try:
                yield
            finally:
                self._stopped.set()

    async def _send(self, server: IngestAddress) -> None:
        connection = IngestConnection(server)
        try:
            while not self._stopped.is_set():
                await self._send_one(connection)
                await asyncio.sleep(self._pause * self.books.random.uniform(0.5, 1.5))
        finally:
            connection.close()

    async def _send_one(self, connection: IngestConnection) -> None:
        number, body, address = self.books.new_hit()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await connection.post(body, user_agent=BROWSER, address=address)
        except (LostAnswerError, TimeoutError):
            self.books.unanswered.add(number)
            connection.close()
        except OSError:
            self.books.refused["no connection"] += 1
            await asyncio.sleep(0.05)
        else:
            self.books.answered(number, answer)
