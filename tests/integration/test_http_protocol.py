"""What one client can make a service hold: real sockets, against the server the services use."""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from services.http.protocol import BODY_BYTES_PER_TICK, MAX_HEAD_BYTES, LimitedHttp
from tests.servers.asgi import listening, port_of
from tests.servers.system import System

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICK = 0.3
HEAD = b"POST /read HTTP/1.1\r\nHost: x\r\n"

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Connect = Callable[[], Awaitable[tuple[Reader, Writer]]]


class Hasty(LimitedHttp):
    head_seconds = TICK
    send_seconds = TICK


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the size of the body; /early answers at once, /much with 64 MiB."""
    size = 0
    while scope["path"] == "/read":
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = b"x" * (64 << 20) if scope["path"] == "/much" else b"%d" % size
    await send({"type": "http.response.body", "body": body})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port() -> AsyncIterator[int]:
    async with listening(application, http=Hasty, timeout_keep_alive=60) as server:
        yield port_of(server)


@pytest_asyncio.fixture(loop_scope="module")
async def connect(port: int) -> AsyncIterator[Connect]:
    writers = []

    async def connected() -> tuple[Reader, Writer]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    yield connected
    for writer in writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("luot_refused_requests_total", {"reason": reason}) or 0


async def drip(writer: Writer, data: bytes, times: int = 1000) -> None:
    """Send the same again and again, faster than any timer, until the server hangs up."""
    with contextlib.suppress(ConnectionError):
        for _ in range(times):
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(TICK / 20)


async def answer_to(port: int, begin: bytes, then: bytes) -> tuple[bytes, float]:
    """Return all that the server says until it hangs up, and after how many seconds.

    On a plain socket: a stream would forget what was said when a write fails first.
    """
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    said = b""

    async def talk(client: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            await loop.sock_sendall(client, begin)
            while then:
                await loop.sock_sendall(client, then)
                await asyncio.sleep(TICK / 20)

    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setblocking(False)
        talking = asyncio.create_task(talk(client))
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(20 * TICK):
                while heard := await loop.sock_recv(client, 65536):
                    said += heard
        seconds = time.monotonic() - began
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
    return said, seconds


@pytest.mark.parametrize(
    ("begin", "then", "status", "reason"),
    [
        (b"", b"", b"", "silent"),
        (b"\r\n", b"\r\n", b"", "silent"),
        (b"GET / HTTP/1.1\r\nX: ", b"a", b"408", "head_too_slow"),
        (b"GET /" + b"a" * 100, b"a", b"408", "head_too_slow"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n", b"200", "silent"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", b" ", b"200", "head_too_slow"),
        (HEAD + b"Content-Length: 100000\r\n\r\n", b"a", b"", "body_too_slow"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", b"", "body_too_slow"),
        (
            b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
            b"a" * BODY_BYTES_PER_TICK,
            b"200",
            "body_too_slow",
        ),
    ],
)
async def test_who_is_slow_is_hung_up_on(
    port: int, begin: bytes, then: bytes, status: bytes, reason: str
) -> None:
    before = refused(reason)

    said, seconds = await answer_to(port, begin, then)

    assert said[9:12] == status
    assert seconds > TICK * 0.9
    assert refused(reason) == before + 1


@pytest.mark.parametrize(
    "begin",
    [
        b"GET / HTTP/1.1\r\nX: " + b"a" * (MAX_HEAD_BYTES + 300_000),
        b"GET /" + b"a" * (MAX_HEAD_BYTES + 1),
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
    ],
)
async def test_a_huge_head_is_refused_before_it_is_held(port: int, begin: bytes) -> None:
    before = refused("head_too_large")

    said, _ = await answer_to(port, begin, b"")

    assert said[9:12] in (b"431", b"")  # reset, where more was on its way
    assert refused("head_too_large") == before + 1


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\x00" * 100])
async def test_what_is_not_http_is_refused_in_the_one_shape(port: int, rubbish: bytes) -> None:
    said, _ = await answer_to(port, rubbish, b"")

    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said.endswith(b'\r\n\r\n{"errors":{"request":["this is not HTTP"]}}')


async def test_a_long_body_at_a_fair_pace_is_read_to_its_end(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(HEAD + b"Content-Length: 204800\r\nConnection: close\r\n\r\n")
    await drip(writer, b"a" * (BODY_BYTES_PER_TICK // 4), times=80)

    assert (await reader.read()).endswith(b"204800\r\n0\r\n\r\n")


async def test_an_answer_that_nobody_reads_is_given_up(connect: Connect) -> None:
    before = refused("answer_unread")
    reader, writer = await connect()
    writer.write(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(90):
        while refused("answer_unread") == before:  # noqa: ASYNC110  # a metric tells nobody
            await asyncio.sleep(TICK / 10)

    with contextlib.suppress(ConnectionResetError):
        assert len(await asyncio.wait_for(reader.read(), 10)) < 64 << 20


async def test_a_connection_is_used_again_for_as_long_as_it_asks_in_time(connect: Connect) -> None:
    reader, writer = await connect()
    began = time.monotonic()
    while time.monotonic() - began < TICK * 4:
        writer.write(HEAD + b"Content-Length: 3\r\n\r\nabc")
        assert re.search(rb"\r\n3\r\n", await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5))
        await asyncio.sleep(TICK / 3)


async def served(
    client: httpx.AsyncClient, request: tuple[str, str, bytes], slow: list[asyncio.StreamWriter]
) -> list[float]:
    """Return the seconds of a hundred requests, in order, while others send a byte each."""
    method, address, body = request
    seconds = []
    for i in range(100):
        for writer in slow[i * 5 : i * 5 + 5]:
            writer.write(b"a")
        began = time.perf_counter()
        assert (await client.request(method, address, content=body)).is_success
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)


async def test_others_are_served_while_500_connections_send_a_byte_now_and_then(
    luot: System,
) -> None:
    luot.add_site("slow")
    event = b'{"n":"x","u":"https://a.b/"}'
    for service, request in (
        (luot.ingest, ("POST", "/e", event)),
        (luot.api, ("GET", "/api/counter/slow", b"")),
    ):
        async with httpx.AsyncClient(base_url=service.url) as client:
            alone = await served(client, request, [])
            slow = [
                (await asyncio.open_connection("127.0.0.1", service.port))[1] for _ in range(500)
            ]
            try:
                for writer in slow:
                    writer.write(b"POST /api/event HTTP/1.1\r\nHost: x\r\nX-A: ")
                among = await served(client, request, slow)
            finally:
                for writer in slow:
                    writer.close()
        # On a busy machine everybody is served late; nobody may be because of these.
        assert among[95] < 0.5 + 10 * alone[95]
