"""Sends page views as real HTTP hits: when due, in order per visitor, on a few connections."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from zlib import crc32

import msgspec

from services.runtime.reasons import reason
from services.traffic.client import IngestAddress, IngestAnswer, IngestConnection, LostAnswerError

CONNECTIONS = 64
"""Each waits for a group commit; with fewer, that wait would limit the throughput."""
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.1
QUEUE_PER_CONNECTION = 64
FAILURES_SHOWN = 20

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]


class UnreachableError(Exception):
    """Not a single hit was answered; the message names the URL and the reason."""


class PageView(msgspec.Struct, frozen=True, gc=False):
    """A page view as a browser reports it, `after` seconds from the start."""

    after: float
    url: str
    referrer: str
    user_agent: str
    address: str


@dataclass
class Summary:
    """The outcome of the page views.

    sent       answered, whatever the answer
    repeated   sent again because the answer was lost: such a hit may have been counted twice
    dropped    value of X-Luot-Dropped → how many
    failures   what went wrong → how many
    """

    sent: int = 0
    accepted: int = 0
    repeated: int = 0
    seconds: float = 0.0
    dropped: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """How many page views failed."""
        return self.failures.total()

    @property
    def per_second(self) -> float:
        """Hits per second that ingest answered."""
        return self.sent / self.seconds if self.seconds else 0.0


class Sender:
    """Sends page views to one ingest for one site.

    Page views of one visitor share a connection, which keeps their order.
    """

    def __init__(
        self,
        url: str,
        site: str,
        *,
        connections: int = CONNECTIONS,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Raise client.UrlError when hits cannot be sent to `url`."""
        self._server = IngestAddress.at(url)
        self._url = url
        self._site = site
        self._connections = connections
        self._clock = clock
        self._sleep = sleep
        self.summary = Summary()

    async def send(self, views: Iterable[PageView]) -> Summary:
        """Send all views, each when it is due, and return the outcome.

        Raises UnreachableError when not a single hit was answered.
        """
        try:
            return await self._send(views)
        except BaseExceptionGroup as group:
            # Not `except*`: before Python 3.11.4, it wraps what is raised inside.
            unreachable = group.subgroup(UnreachableError)
            if unreachable is None:
                raise
            raise unreachable.exceptions[0] from None

    async def _send(self, views: Iterable[PageView]) -> Summary:
        lanes = [
            asyncio.Queue[PageView | None](QUEUE_PER_CONNECTION) for _ in range(self._connections)
        ]
        started = self._clock()
        async with asyncio.TaskGroup() as tasks:
            for lane in lanes:
                tasks.create_task(self._drain(lane))
            for view in views:
                wait = started + view.after - self._clock()
                if wait > 0:
                    self.summary.seconds = self._clock() - started
                    await self._sleep(wait)
                visitor = crc32(f"{view.address} {view.user_agent}".encode())
                await lanes[visitor % len(lanes)].put(view)
                self.summary.seconds = self._clock() - started
            for lane in lanes:
                await lane.put(None)
        self.summary.seconds = self._clock() - started
        return self.summary

    async def _drain(self, lane: "asyncio.Queue[PageView | None]") -> None:
        connection = IngestConnection(self._server)
        try:
            while (view := await lane.get()) is not None:
                self._note(await self._post(connection, view))
        finally:
            connection.close()

    async def _post(self, connection: IngestConnection, view: PageView) -> IngestAnswer | str:
        """Return the answer of ingest, or the last error after ATTEMPTS."""
        body = msgspec.json.encode(
            {"n": "pageview", "d": self._site, "u": view.url, "r": view.referrer}
        )
        problem: IngestAnswer | str = ""
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._sleep(pause)
                pause *= 2
            try:
                answer = await connection.post(
                    body, user_agent=view.user_agent, address=view.address
                )
            except LostAnswerError as error:
                self.summary.repeated += attempt < ATTEMPTS - 1
                problem = str(error)
                continue
            except (OSError, TimeoutError) as error:
                problem = _explain(error)
                continue
            if answer.status != 503:
                return answer
            problem = answer
            pause = max(pause, answer.retry_after)
        return problem

    def _note(self, outcome: IngestAnswer | str) -> None:
        summary = self.summary
        if isinstance(outcome, str):
            if not summary.sent:
                raise UnreachableError(f"{self._url} cannot be reached: {outcome}")
            self._fail(outcome)
            return
        summary.sent += 1
        if outcome.status not in (200, 202):
            self._fail(f"answer {outcome.status}")
        elif outcome.dropped:
            summary.dropped[outcome.dropped] += 1
        else:
            summary.accepted += 1

    def _fail(self, reason: str) -> None:
        failures = self.summary.failures
        if reason not in failures and len(failures) >= FAILURES_SHOWN:
            reason = "other"
        failures[reason] += 1


def _explain(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return reason(error)
