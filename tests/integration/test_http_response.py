"""Answers that are put together once, over real sockets: what the client sees."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from services.http.protocol import LimitedHttp
from services.http.response import EXTENSION, PrebuiltResponse
from tests.servers.asgi import listening, port_of

HELLO = PrebuiltResponse(202, ((b"content-length", b"2"), (b"x-luot", b"y")), b"ok")
LAST = PrebuiltResponse(413, ((b"content-length", b"0"), (b"connection", b"close")), b"")
WRITTEN: list[bool] = []


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what was prepared; /plain without the extension, /wait after a while."""
    if scope["path"] == "/wait":
        await asyncio.sleep(0)
    if scope["path"] == "/plain":
        scope = {"type": "http"}
    sent: list[Any] = []

    async def noticed(message: Any) -> None:
        sent.append(message)
        await send(message)

    await (LAST if scope.get("path") == "/last" else HELLO).send(scope, noticed)
    WRITTEN.append(not sent)


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    WRITTEN.clear()
    async with listening(application, http=LimitedHttp, server_header=False) as server:
        yield port_of(server)


async def said(port: int, *requests: bytes) -> bytes:
    """Return all that is answered on one connection; the last request closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(requests))
    async with asyncio.timeout(90):
        answers = await reader.read()
    writer.close()
    return re.sub(rb"date: [^\r]+", b"date: now", answers)


def get(path: bytes, method: bytes = b"GET", more: bytes = b"") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (method, path, more)


CLOSE = b"Connection: close\r\n"


async def test_a_prepared_answer_is_the_one_that_the_server_would_write(port: int) -> None:
    prepared, plain, _ = (await said(port, get(b"/"), get(b"/plain"), get(b"/last"))).split(
        b"HTTP/1.1 "
    )[1:]

    assert prepared == plain
    assert prepared.endswith(b"\r\n\r\nok")
    assert b"date: now\r\n" in prepared
    assert WRITTEN == [True, False, False]


async def test_requests_that_come_together_are_answered_in_their_order(port: int) -> None:
    answers = await said(port, get(b"/wait"), get(b"/"), get(b"/wait"), get(b"/last"))

    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"202", b"202", b"202", b"413"]


async def test_who_wants_the_connection_closed_is_told_and_obeyed(port: int) -> None:
    assert b"\r\nconnection: close\r\n" in await said(port, get(b"/", more=CLOSE))
    assert WRITTEN == [False]


async def test_a_head_has_no_body(port: int) -> None:
    answer = await said(port, get(b"/", b"HEAD", CLOSE))

    assert b"\r\ncontent-length: 2\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_an_answer_is_sent_over_any_server() -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await HELLO.send({"type": "http", "extensions": {"other": {}}}, send)

    assert messages[0]["status"] == 202
    assert messages[1]["body"] == b"ok"
    assert EXTENSION not in messages[0]
