"""Requests that are answered without a task of their own, over real sockets: what clients see."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_asyncio
import uvicorn

from services.http.client_address import Addresses
from services.http.protocol import LimitedHttp
from services.http.response import Header, PrebuiltResponse
from tests.patience import PATIENCE_SECONDS
from tests.servers.asgi import listening, port_of


def answer(text: bytes) -> PrebuiltResponse:
    return PrebuiltResponse(200, ((b"content-length", b"%d" % len(text)),), text)


class Application:
    """Says how it was asked, directly or not, by whom and with which body.

    The body `wait` is answered when `gate` is set, `fail` never, `close` as the
    last, `much` with 100 kB.
    """

    inline_targets = frozenset({b"/hit"})

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()

    async def answer_inline(
        self, path: str, headers: Sequence[Header], body: bytes, client: tuple[str, int] | None
    ) -> PrebuiltResponse:
        assert path == "/hit"
        assert client is not None
        if body == b"wait":
            self.waiting.set()
            await self.gate.wait()
        if body == b"fail":
            raise RuntimeError("as the test wants it")
        if body == b"much":
            return answer(b"x" * 100_000)
        if body == b"close":
            return PrebuiltResponse(
                413, ((b"content-length", b"0"), (b"connection", b"close")), b""
            )
        return answer(b"directly %b %b %b;" % (client[0].encode(), dict(headers)[b"host"], body))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        said = b"in a task %b %b %b;" % (
            scope["path"].encode(),
            dict(scope["headers"])[b"host"],
            body,
        )
        await answer(said).send(scope, send)


@pytest_asyncio.fixture
async def application() -> Application:
    return Application()


@pytest_asyncio.fixture
async def server(application: Application) -> AsyncIterator[uvicorn.Server]:
    options = {"lifespan": "off", "proxy_headers": False, "server_header": False}
    async with listening(application, http=LimitedHttp, **options) as server:
        yield server


@pytest_asyncio.fixture
async def port(server: uvicorn.Server) -> int:
    return port_of(server)


def post(body: bytes, target: bytes = b"/hit", more: bytes = b"") -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n"
    return head % (target, len(body), more) + body


CLOSE = b"Connection: close\r\n"


async def said(port: int, *parts: bytes) -> bytes:
    """Send parts, one after the other; return all that is answered until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)  # so that it is read on its own
    async with asyncio.timeout(90):
        heard = await reader.read()
    writer.close()
    return heard


def bodies(answers: bytes) -> list[bytes]:
    return re.findall(rb"\r\n\r\n((?:directly|in a task)[^;]*);", answers)


async def test_a_request_that_came_whole_is_answered_directly(port: int) -> None:
    heard = await said(port, post(b"a"), post(b"", more=CLOSE))

    assert bodies(heard) == [b"directly 127.0.0.1 x a", b"in a task /hit x "]
    assert heard.startswith(b"HTTP/1.1 200 OK\r\ndate: ")


@pytest.mark.parametrize(
    "request_",
    [
        post(b"a", more=CLOSE),
        post(b"a", target=b"/hit?b=c", more=CLOSE),
        post(b"a", more=b"Expect: 100-continue\r\n") + post(b"", more=CLOSE),
        post(b"a", more=b"Connection: keep-alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
        post(b"a").replace(b"POST", b"PUT", 1).replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n", 1),
    ],
)
async def test_anything_out_of_the_ordinary_is_answered_in_a_task(
    port: int, request_: bytes
) -> None:
    assert bodies(await said(port, request_))[0] == b"in a task /hit x a"


async def test_a_body_that_comes_in_pieces_is_answered_in_a_task(port: int) -> None:
    first = post(b"abcdef")
    heard = await said(
        port, first[:20], first[20:-4], first[-4:-2], first[-2:], post(b"", b"/x", CLOSE)
    )

    assert bodies(heard) == [b"in a task /hit x abcdef", b"in a task /x x "]


class Hasty(LimitedHttp):
    head_seconds = 0.2


async def test_a_connection_that_is_answered_at_once_stays_open_for_as_long_as_it_asks(
    application: Application,
) -> None:
    loop = asyncio.get_running_loop()
    options = {"lifespan": "off", "proxy_headers": False}
    async with listening(application, http=Hasty, **options) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        ends = loop.time() + 5 * Hasty.head_seconds
        while loop.time() < ends:
            writer.write(post(b"a"))
            async with asyncio.timeout(90):
                assert bodies(await reader.readuntil(b";"))
        # But not when it asks nothing any more, whatever else it sends.
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(90):
                while not reader.at_eof():
                    writer.write(b"\r\n")
                    await writer.drain()  # tells of a reset, which is no end of what can be read
                    await asyncio.sleep(0.02)
        writer.close()


@pytest.mark.parametrize("target", [b"/hit", b"/x"])
async def test_a_proxy_may_keep_an_idle_connection_for_longer_than_others(
    application: Application, target: bytes
) -> None:
    class BehindProxy(Hasty):
        proxies = Addresses([ip_network("127.0.0.2")])

    options = {"lifespan": "off", "proxy_headers": False, "timeout_keep_alive": 1}
    async with (
        listening(application, http=BehindProxy, **options) as server,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        ends = []
        for address in ("127.0.0.1", "127.0.0.2"):
            end = await asyncio.open_connection(
                "127.0.0.1", port_of(server), local_addr=(address, 0)
            )
            end[1].write(post(b"a", target))
            assert bodies(await end[0].readuntil(b";"))
            ends.append(end)
        (stranger, _), (proxy, writer) = ends
        # Longer than a connection without any request may be silent.
        assert await stranger.read() == b""
        writer.write(post(b"b", target))
        assert bodies(await proxy.readuntil(b";"))
        for _, writer in ends:
            writer.close()


async def test_requests_that_come_together_are_answered_in_their_order(
    port: int, application: Application
) -> None:
    asked = [post(b"1"), post(b"wait"), post(b"2"), post(b"3", b"/x"), post(b"4"), post(b"5")]
    hearing = asyncio.create_task(said(port, b"".join([*asked, post(b"6", more=CLOSE)])))
    await application.waiting.wait()
    application.gate.set()

    texts = [text.split()[-1] for text in bodies(await hearing)]
    assert texts == [b"1", b"wait", b"2", b"3", b"4", b"5", b"6"]


async def test_many_that_come_together_do_not_pile_up(port: int) -> None:
    heard = await said(port, post(b"a") * 3000 + post(b"b", more=CLOSE))

    assert len(bodies(heard)) == 3001


async def test_a_client_that_does_not_wait_harms_nobody(
    port: int, application: Application, server: uvicorn.Server
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post(b"wait"))
    await application.waiting.wait()
    writer.transport.abort()
    async with asyncio.timeout(90):
        while server.server_state.connections:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.005)
    application.gate.set()

    assert bodies(await said(port, post(b"a"), post(b"b", more=CLOSE))) == [
        b"directly 127.0.0.1 x a",
        b"in a task /hit x b",
    ]


async def test_an_answer_that_says_so_is_the_last(port: int) -> None:
    heard = await said(port, post(b"close") + post(b"a"))

    assert heard.startswith(b"HTTP/1.1 413 ")
    assert heard.count(b"HTTP/1.1") == 1


async def test_what_fails_is_told_and_hung_up_on(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    heard = await said(port, post(b"fail"))

    assert heard.startswith(b"HTTP/1.1 500 ")
    assert heard.endswith(b'{"errors": {"request": ["this could not be done"]}}')
    assert "as the test wants it" in caplog.text


async def test_a_server_that_stops_answers_first(
    port: int, application: Application, server: uvicorn.Server
) -> None:
    hearing = asyncio.create_task(said(port, post(b"wait")))
    await application.waiting.wait()
    server.should_exit = True
    async with asyncio.timeout(90):
        while server.servers[0].sockets:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.005)
    application.gate.set()

    heard = await hearing
    assert bodies(heard) == [b"directly 127.0.0.1 x wait"]
    assert b"\r\nconnection: close\r\n" in heard


async def test_a_client_that_reads_nothing_is_not_answered_without_end(
    port: int, server: uvicorn.Server
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(post(b"much") * 300)

    for _ in range(50):
        await asyncio.sleep(0.01)
        (connection,) = server.server_state.connections
        assert connection.transport.get_write_buffer_size() < 10 << 20
    writer.transport.abort()
