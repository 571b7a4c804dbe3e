"""The sender against a real HTTP server on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from services.traffic.client import IngestAddress, UrlError
from services.traffic.sender import ATTEMPTS, PageView, Sender, UnreachableError

Request = tuple[bytes, dict[bytes, bytes], bytes]
Reply = Callable[[int], bytes]
"""How the server answers its n-th request; b'' closes the connection instead."""

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"


def view(path: str, address: str = "192.0.2.1", after: float = 0.0) -> PageView:
    return PageView(after, f"https://demo.example{path}", "", "Mozilla/5.0", address)


class Recorder:
    """An HTTP server that keeps what it was sent."""

    def __init__(self, reply: Reply) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._reply = reply

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *fields = head.strip().split(b"\r\n")
                headers = {
                    name.lower(): value for name, _, value in (f.partition(b": ") for f in fields)
                }
                body = await reader.readexactly(int(headers[b"content-length"]))
                self.requests.append((first, headers, body))
                reply = self._reply(len(self.requests))
                if not reply:
                    break
                writer.write(reply)
                if b"Connection: close" in reply:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def server(reply: Reply = lambda _: ACCEPTED) -> AsyncIterator[Recorder]:
    recorder = Recorder(reply)
    listening = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    recorder.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield recorder


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


async def test_a_page_view_arrives_as_a_browser_would_send_it() -> None:
    async with server() as recorder:
        summary = await Sender(recorder.url + "/", "demo").send([view("/tin?id=1")])
    assert (summary.sent, summary.accepted, summary.failed) == (1, 1, 0)
    (first, headers, body) = recorder.requests[0]
    assert first == b"POST /e HTTP/1.1"
    assert headers[b"user-agent"] == b"Mozilla/5.0"
    assert headers[b"x-forwarded-for"] == b"192.0.2.1"
    assert json.loads(body) == {
        "n": "pageview",
        "d": "demo",
        "u": "https://demo.example/tin?id=1",
        "r": "",
    }


async def test_the_pages_of_a_visitor_arrive_in_their_order() -> None:
    views = [view(f"/{n}", f"192.0.2.{n % 7}") for n in range(300)]
    async with server() as recorder:
        await Sender(recorder.url, "demo").send(views)
    for visitor in range(7):
        sent = [
            json.loads(body)["u"]
            for _, headers, body in recorder.requests
            if headers[b"x-forwarded-for"] == f"192.0.2.{visitor}".encode()
        ]
        assert sent == [one.url for one in views if one.address == f"192.0.2.{visitor}"]


async def test_what_ingest_did_not_count_is_told_by_reason() -> None:
    def reply(number: int) -> bytes:
        if number % 3:
            return ACCEPTED
        return ACCEPTED.replace(b"\r\n\r\n", b"\r\nX-Luot-Dropped: bot\r\n\r\n")

    async with server(reply) as recorder:
        summary = await Sender(recorder.url, "demo").send([view("/")] * 9)
    assert (summary.sent, summary.accepted, dict(summary.dropped)) == (9, 6, {"bot": 3})
    assert summary.failed == 0


async def test_a_refused_page_view_is_a_failure_with_its_status() -> None:
    refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    async with server(lambda n: refusal if n == 2 else ACCEPTED) as recorder:
        summary = await Sender(recorder.url, "demo").send([view("/")] * 3)
    assert (summary.accepted, dict(summary.failures)) == (2, {"answer 400": 1})


async def test_a_server_that_closes_each_connection_gets_every_page_view_once() -> None:
    closing = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    async with server(lambda _: closing) as recorder:
        summary = await Sender(recorder.url, "demo", sleep=at_once).send([view("/")] * 5)
    assert (summary.accepted, summary.repeated, len(recorder.requests)) == (5, 0, 5)


async def test_a_lost_answer_is_sent_again_and_admitted() -> None:
    async with server(lambda n: b"" if n == 1 else ACCEPTED) as recorder:
        summary = await Sender(recorder.url, "demo", sleep=at_once).send([view("/a"), view("/b")])
    assert (summary.accepted, summary.repeated, len(recorder.requests)) == (2, 1, 3)


async def test_a_server_that_is_busy_is_asked_again_after_the_time_it_names() -> None:
    busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with server(lambda n: busy if n == 1 else ACCEPTED) as recorder:
        summary = await Sender(recorder.url, "demo", sleep=pause).send([view("/")])
    assert (summary.accepted, pauses) == (1, [7.0])


async def test_no_server_at_all_is_told_after_several_attempts() -> None:
    async with server() as recorder:
        gone = recorder.url
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(UnreachableError, match=f"{gone} cannot be reached: connection refused"):
        await Sender(gone, "demo", connections=1, sleep=pause).send([view("/")] * 9)
    assert len(pauses) == ATTEMPTS - 1


async def test_a_server_that_goes_away_half_way_fails_the_rest() -> None:
    async with server(lambda n: ACCEPTED if n < 3 else b"") as recorder:
        summary = await Sender(recorder.url, "demo", connections=1, sleep=at_once).send(
            [view("/")] * 4
        )
    assert (summary.sent, summary.accepted, summary.failed) == (2, 2, 2)


async def test_page_views_wait_for_their_time() -> None:
    now = 100.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    async with server() as recorder:
        sender = Sender(recorder.url, "demo", clock=lambda: now, sleep=sleep)
        summary = await sender.send([view("/a", after=0), view("/b", after=2.5)])
    assert summary.seconds == pytest.approx(2.5)


async def test_a_user_agent_cannot_add_a_header() -> None:
    bad = PageView(0.0, "https://demo.example/", "", "x\r\nX-Evil: 1\0", "192.0.2.1")
    async with server() as recorder:
        await Sender(recorder.url, "demo").send([bad])
    assert b"x-evil" not in recorder.requests[0][1]


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://", "http://x:port"])
def test_what_is_no_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(UrlError, match="not a"):
        IngestAddress.at(url)
