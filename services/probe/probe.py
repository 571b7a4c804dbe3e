"""Sends a hit as a browser does, and waits until the public number shows it."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from services import __version__
from services.probe.outcome import Outcome, ProbeResult
from services.runtime.reasons import reason

ANSWER_SECONDS = 10.0
"""The timeout of a response: a reader would have left by then."""
POLL_SECONDS = 0.2
PAGES = 1000
"""Each process views one of this many pages, so that two hardly ever see each other's hits."""
FORGET_SECONDS = 3600.0
"""How long the number may be lower than expected before it is taken as correct: a person may have
lowered it."""
USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
    f" LuotProbe/{__version__}"
)


class _FailedError(Exception):
    def __init__(self, outcome: Outcome, said: str) -> None:
        super().__init__(said)
        self.outcome = outcome


class Probe:
    """Views one page of one site, and knows how many of its views were accepted.

    A hit that shows up late must not be mistaken for the next one. So the expected number is one
    more than all accepted views, not one more than what is shown.
    """

    def __init__(
        self,
        url: str,
        site: str,
        within: float,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is the public URL, `within` is how many seconds the number may take."""
        self._url = url.rstrip("/")
        self._site = site
        self._within = within
        self._transport = transport
        self._monotonic = monotonic
        self._path = f"/do/{secrets.randbelow(PAGES):03}"
        parts = urlsplit(self._url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self.host = parts.hostname or ""
        self._due: int | None = None
        self._due_since = 0.0
        self._number: float | None = None

    async def once(self) -> ProbeResult:
        """Send one hit, on its own connection like a new reader; a failure is a result, too."""
        client = httpx.AsyncClient(
            headers={"User-Agent": USER_AGENT, "Accept-Language": "vi"},
            timeout=ANSWER_SECONDS,
            transport=self._transport,
        )
        async with client:
            try:
                return await self._probe(client)
            except _FailedError as failed:
                return ProbeResult(failed.outcome, str(failed))

    async def _probe(self, client: httpx.AsyncClient) -> ProbeResult:
        shown = await self._views(client)
        now = self._monotonic()
        if self._due is None or shown > self._due or now - self._due_since > FORGET_SECONDS:
            # A hit without a response has been counted or is given up: begin a new view.
            self._due, self._due_since, self._number = shown, now, None
        elif shown == self._due:
            self._due_since = now
        if self._number is None:
            self._number = random.uniform(0.1, 0.9)  # noqa: S311  as the script in the page draws it
        expected = self._due + 1
        started = self._monotonic()
        await self._send(client, self._number)
        self._due, self._number = expected, None
        return await self._wait(client, expected, started)

    async def _send(self, client: httpx.AsyncClient, number: float) -> None:
        """Send the hit; a repeated `number` is the same view, so that nothing is counted twice."""
        event = {
            "n": "pageview",
            "d": self._site,
            "u": f"{self._origin}{self._path}",
            "r": "",
            "k": number,
        }
        headers = {"Content-Type": "text/plain", "Origin": self._origin}
        answer = await self._ask(
            client.build_request(
                "POST", f"{self._url}/e", content=msgspec.json.encode(event), headers=headers
            ),
            client,
        )
        if answer.status_code != httpx.codes.ACCEPTED:
            raise _refused("the hit", answer)
        if dropped := answer.headers.get("X-Luot-Dropped"):
            raise _FailedError(Outcome.REFUSED, self._advice(dropped))

    def _advice(self, dropped: str) -> str:
        said = f"the hit does not count: {dropped}"
        if dropped in ("unknown_site", "foreign_host", "foreign_page"):
            return f"{said}; make the site: luot site add {self._site} --host {self.host}"
        return said

    async def _wait(self, client: httpx.AsyncClient, expected: int, started: float) -> ProbeResult:
        """Return once the public number shows the hit, or when it took too long."""
        last = "it was not to be had"
        while True:
            try:
                shown = await self._views(client)
            except _FailedError as failed:
                last = str(failed)
            else:
                seconds = self._monotonic() - started
                if shown >= expected and seconds <= self._within:
                    said = f"the public number showed the hit after {seconds:.2f} s"
                    return ProbeResult(Outcome.OK, said, seconds)
                last = f"it says {shown}, expected {expected}"
            if self._monotonic() - started >= self._within:
                said = (
                    "the hit was accepted, but the public number did not show it within"
                    f" {self._within:g} s: {last}"
                )
                return ProbeResult(Outcome.LATE, said)
            await asyncio.sleep(POLL_SECONDS)

    async def _views(self, client: httpx.AsyncClient) -> int:
        """Return the views of the page as the public counter shows them."""
        address = f"{self._url}/api/counter/{quote(self._site, safe='')}"
        parameters = {"metric": "views", "path": self._path}
        answer = await self._ask(client.build_request("GET", address, params=parameters), client)
        if answer.status_code == httpx.codes.NOT_FOUND:
            said = f"{self._url} knows no site {self._site}; make it:"
            raise _FailedError(
                Outcome.REFUSED, f"{said} luot site add {self._site} --host {self.host}"
            )
        if answer.status_code != httpx.codes.OK:
            raise _refused("the number", answer)
        try:
            pages = msgspec.json.decode(answer.content, type=_Counter).paths
        except msgspec.MsgspecError as error:
            raise _FailedError(
                Outcome.REFUSED, f"{address} is not the counter of Luot: {error}"
            ) from None
        if self._path not in pages:
            raise _FailedError(Outcome.REFUSED, "the store is away, and the page was never read")
        return pages[self._path].views

    async def _ask(self, request: httpx.Request, client: httpx.AsyncClient) -> httpx.Response:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await client.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            why = reason(error)
            said = f"{request.method} {self._origin}{request.url.path}: no answer: {why}"
            raise _FailedError(Outcome.UNREACHABLE, said) from None


class _Page(msgspec.Struct):
    views: int


class _Counter(msgspec.Struct):
    paths: dict[str, _Page]


def _refused(what: str, answer: httpx.Response) -> _FailedError:
    said = f"{what} was answered with {answer.status_code}"
    where = answer.headers.get("Location")
    told = f" to {where}; give that address" if where else f": {answer.text[:200]}"
    return _FailedError(Outcome.REFUSED, said + told)
