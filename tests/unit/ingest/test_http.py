"""Reading a body."""

import asyncio
from collections.abc import Iterable

import pytest

from services.ingest import http
from services.ingest.http import Message, Receive


def sending(*messages: Message) -> Receive:
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


def chunks(parts: Iterable[bytes]) -> Receive:
    *first, last = parts
    return sending(
        *({"type": "http.request", "body": part, "more_body": True} for part in first),
        {"type": "http.request", "body": last},
    )


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await http.read_body(chunks([b"a", b"b", b"c"]), None) == b"abc"


async def test_a_body_at_the_limit_is_read_and_one_over_it_is_not() -> None:
    assert await http.read_body(chunks([b"x" * http.MAX_BODY]), None) == b"x" * http.MAX_BODY
    with pytest.raises(http.TooLargeError):
        await http.read_body(chunks([b"x" * http.MAX_BODY, b"x"]), None)


async def test_an_announced_size_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(http.TooLargeError):
        await http.read_body(sending(), str(http.MAX_BODY + 1).encode())


async def test_a_body_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.01)
    with pytest.raises(TimeoutError):
        await http.read_body(
            sending({"type": "http.request", "body": b"{", "more_body": True}), None
        )


async def test_a_client_that_goes_away_is_not_answered() -> None:
    gone = sending(
        {"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}
    )
    assert await http.read_body(gone, None) is None
