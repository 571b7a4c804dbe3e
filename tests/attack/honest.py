"""Readers and an administrator who want what they always want, while somebody attacks."""

import asyncio
import contextlib
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from itertools import count

import httpx
import msgspec

from services.traffic.client import (
    IngestAddress,
    IngestAnswer,
    IngestConnection,
    LostAnswerError,
)
from tests.attack.target import (
    ATTACKED,
    OLD_PAGES,
    OTHER,
    OWNER,
    PASSWORD,
    SETTLE_SECONDS,
    Target,
)
from tests.servers.system import BROWSER

HITS_A_SECOND = 20
NEW_PAGE_READERS = 3
CARRIER = int(ip_address("100.64.0.0"))
ADMINISTRATOR = "203.0.113.200"


class Honest:
    """Sends views of honest readers, each from an address of its own, and keeps books.

    Of the other site all views are known, so its numbers must be equal to the books; of the
    attacked site those of articles that the attacker does not ask for.
    """

    def __init__(self, target: Target, new_page: str) -> None:
        self._target = target
        self._new_page = new_page
        self._stopped = asyncio.Event()
        self.views: Counter[str] = Counter()
        self.articles: Counter[str] = Counter()
        self.problems: list[str] = []
        self.freshness: list[float] = []
        self.sign_ins = 0
        self._accepted: deque[tuple[int, float]] = deque()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read in the background for as long as this is open, then wait until all is counted."""
        self._before = self._target.counter(OTHER, metric="views")["total"]
        self._articles_before = {path: self._target.views(path) for path in self._pages}
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read())
            watching = tasks.create_task(self._watch(reading))
            signing = tasks.create_task(self._sign_in())
            try:
                yield
            finally:
                self._stopped.set()
            await signing
            await watching

    @property
    def _pages(self) -> tuple[str, ...]:
        return (*OLD_PAGES, self._new_page)

    async def _read(self) -> None:
        connection = IngestConnection(IngestAddress.at(self._target.ingest.url))
        await self._view(connection, OTHER, "/")
        for _ in range(NEW_PAGE_READERS):
            await self._view(connection, ATTACKED, self._new_page)
        number = 0
        while not self._stopped.is_set():
            await self._view(connection, OTHER, f"/tin-tuc/bai-{number % 40}")
            if number % HITS_A_SECOND == 0:
                await self._view(connection, ATTACKED, random.choice(self._pages))
            number += 1
            await asyncio.sleep(1 / HITS_A_SECOND)
        connection.close()

    async def _view(self, connection: IngestConnection, site: str, path: str) -> None:
        event = {"n": "pageview", "d": site, "u": f"https://{site}.example{path}"}
        answer = await _as_a_browser_sends(connection, event)
        if (answer.status, answer.dropped) != (202, ""):
            self.problems.append(
                f"a reader of {site} was answered {answer.status} {answer.dropped}"
            )
        elif site == OTHER:
            self.views[path] += 1
            self._accepted.append((self._before + self.views.total(), time.monotonic()))
        else:
            self.articles[path] += 1

    async def _watch(self, reading: asyncio.Task[None]) -> None:
        """Measure how long each view of the other site takes to its number."""
        async with httpx.AsyncClient(base_url=self._target.api.url, timeout=30) as api:
            until = float("inf")
            while self._accepted or not reading.done():
                if reading.done():
                    until = min(until, time.monotonic() + SETTLE_SECONDS)
                if time.monotonic() > until:
                    self.problems.append(f"{len(self._accepted)} views of {OTHER} are not counted")
                    return
                with contextlib.suppress(httpx.TransportError):
                    answer = await api.get(f"/api/counter/{OTHER}", params={"metric": "views"})
                    if answer.status_code == 200:
                        self._counted(answer.json()["total"])
                await asyncio.sleep(0.1)

    def _counted(self, total: int) -> None:
        now = time.monotonic()
        while self._accepted and self._accepted[0][0] <= total:
            self.freshness.append(now - self._accepted.popleft()[1])

    async def _sign_in(self) -> None:
        headers = {"X-Forwarded-For": ADMINISTRATOR}
        url, body = (
            f"{self._target.api.url}/api/admin/sign-in",
            {"name": OWNER, "password": PASSWORD},
        )
        again = False
        while not self._stopped.is_set():
            async with httpx.AsyncClient(timeout=30) as browser:
                answer = await browser.post(url, json=body, headers=headers)
            was_put_off, again = again, answer.status_code == 503
            if answer.status_code == 200:
                self.sign_ins += 1
            elif again and not was_put_off:
                # Once, on a machine that is too busy for a moment; not again and again.
                continue
            else:
                self.problems.append(f"the administrator was answered {answer.status_code}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), 2)

    async def compare(self) -> None:
        """Compare the numbers with the books."""
        shown = self._target.counter(OTHER, metric="views")["total"] - self._before
        if shown != self.views.total():
            self.problems.append(f"{OTHER} shows {shown} views of {self.views.total()}")
        for path, views in self.articles.items():
            expected = self._articles_before[path] + views
            if (found := await self._target.shows(path, expected)) != expected:
                self.problems.append(f"{path} shows {found} views of {expected}")

    def freshness_p99(self) -> float:
        """Return the seconds within which 99% of the other site's views were counted."""
        ordered = sorted(self.freshness)
        return ordered[int(len(ordered) * 0.99)] if ordered else float("inf")


async def _as_a_browser_sends(connection: IngestConnection, event: dict[str, str]) -> IngestAnswer:
    """Send a view; once more, under the same number, where the connection broke before the answer.

    Raises LostAnswerError if the second answer is lost, too.
    """
    body = msgspec.json.encode(event | {"k": random.random()})
    address = next(ADDRESSES)
    with contextlib.suppress(LostAnswerError):
        return await connection.post(body, user_agent=BROWSER, address=address)
    return await connection.post(body, user_agent=BROWSER, address=address)


def _addresses() -> Iterator[str]:
    """Addresses of a carrier, each once, in no order."""
    return (str(ip_address(CARRIER + number * 2_654_435_761 % (1 << 22))) for number in count())


ADDRESSES = _addresses()
"""Of all attacks of this process: a reader of one must be new in the next."""
