"""The generator's own books: which hits were sent, accepted, or left without an answer."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.traffic.client import IngestAddress, IngestAnswer, IngestConnection, LostAnswerError
from tests.servers.system import BROWSER

SITES = tuple(f"cong-{number}" for number in range(5))
PATHS = tuple(f"/tin-tuc/bai-{number}" for number in range(40))
VISITORS = 300
ANSWER_SECONDS = 25.0


class Books:
    """One entry a hit; a hit is known by its number, which travels as its referrer's host.

    `domain` ends that host: hits of the books of another Luot are known as such. With `once`, they
    have no key by which a repetition would be known, as those of `hit.gif`.
    """

    def __init__(
        self,
        seed: int,
        sites: Sequence[str] = SITES,
        domain: str = "example",
        *,
        once: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.sites = sites
        self.sent: dict[str, tuple[str, str, int]] = {}
        self.accepted: set[str] = set()
        self.accepted_of: Counter[str] = Counter()
        """How many were accepted, by site."""
        self.unanswered: set[str] = set()
        self.refused: Counter[str] = Counter()
        self.repeated = 0
        """Requests that were sent again, as browsers do, because no answer came."""
        self._domain = domain
        self._once = once

    def new_hit(self) -> tuple[str, bytes, str]:
        """Return the number, the body and the address of a hit, and write it down as sent."""
        site, path = self.random.choice(self.sites), self.random.choice(PATHS)
        visitor = self.random.randrange(VISITORS)
        number = f"h{len(self.sent)}.{self._domain}"
        self.sent[number] = (site, path, visitor)
        url = f"https://{site}.example{path}"
        view = str(self.random.random())
        body = {"n": "pageview", "d": site, "u": url, "r": f"https://{number}/", "k": view}
        if self._once:
            del body["k"]
        return number, json.dumps(body).encode(), f"10.1.{visitor // 250}.{visitor % 250 + 1}"

    def answered(self, number: str, answer: IngestAnswer, *, lost: bool = False) -> None:
        """Write down an answer; `lost` says that an earlier one to the same hit was not seen."""
        if answer.status == 202 and not answer.dropped:
            self.accepted.add(number)
            self.accepted_of[self.sent[number][0]] += 1
            return
        self.refused[f"{answer.status} {answer.dropped}".strip()] += 1
        # A 503 may follow an append without a reply: the hit may be in the log.
        if lost or answer.status == 503:
            self.unanswered.add(number)


class Generator:
    """Sends hits at a steady rate over several connections to every ingest.

    A request whose answer is lost is sent again up to `repeats` times, the same bytes, to any
    ingest.
    """

    def __init__(
        self,
        books: Books,
        urls: list[str],
        rate: float,
        connections: int = 12,
        repeats: int = 0,
    ) -> None:
        self.books = books
        self._servers = [IngestAddress.at(url) for url in urls]
        self._pause = connections / rate
        self._connections = connections
        self._repeats = repeats
        self._stopped = asyncio.Event()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send in the background; every hit has its answer when this is left."""
        async with asyncio.TaskGroup() as group:
            for index in range(self._connections):
                group.create_task(self._send(index % len(self._servers)))
            try:
                yield
            finally:
                self._stopped.set()

    async def _send(self, first: int) -> None:
        # They connect with their first hit.
        connections = [IngestConnection(server) for server in self._servers]
        try:
            while not self._stopped.is_set():
                await self._send_one(connections, connections[first])
                await asyncio.sleep(self._pause * self.books.random.uniform(0.5, 1.5))
        finally:
            for connection in connections:
                connection.close()

    async def _send_one(
        self, connections: list[IngestConnection], connection: IngestConnection
    ) -> None:
        number, body, address = self.books.new_hit()
        lost = False
        for attempt in range(self._repeats + 1):
            if attempt:
                # At once, as a browser does; then as a reader who tries again.
                await asyncio.sleep(self.books.random.uniform(0, attempt - 1))
                self.books.repeated += 1
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await connection.post(body, user_agent=BROWSER, address=address)
            except (LostAnswerError, TimeoutError):
                lost = True
                connection.close()
                connection = self.books.random.choice(connections)
            except OSError:
                if lost:
                    break
                self.books.refused["no connection"] += 1
                await asyncio.sleep(0.05)
                return
            else:
                self.books.answered(number, answer, lost=lost)
                return
        self.books.unanswered.add(number)
