"""Long public answers are compressed for clients that take it, and short ones left alone."""

import gzip
from datetime import date
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from services.api.app import Api
from services.http.compression import MIN_BYTES
from services.store.interface import Store
from tests.integration.api.changes import save
from tests.integration.api.world import SITE, write_counter

COUNTER = "/api/counter/mytho"
PATHS = [f"/tin-tuc/bai-viet-so-{n}" for n in range(99)]
GZIP = {"Accept-Encoding": "gzip, br"}
PLAIN = {"Accept-Encoding": "identity"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def raw(
    client: httpx.AsyncClient, address: str, headers: dict[str, str], method: str = "GET"
) -> tuple[httpx.Response, bytes]:
    """Return an answer, and its body as it was sent."""
    async with client.stream(method, address, headers=headers) as answer:
        body = b"".join([piece async for piece in answer.aiter_raw()])
    return answer, body


def long(first: str) -> str:
    """Return an address that is asked for by one test only: its first answer is not cached."""
    return f"{COUNTER}?{urlencode({'path': [first, *PATHS]}, doseq=True)}"


@pytest.mark.parametrize(
    ("address", "order"),
    [
        (long("/gzip"), (GZIP, PLAIN, GZIP)),
        (long("/plain"), (PLAIN, GZIP, PLAIN)),
        ("/counter/mytho.html", (GZIP, PLAIN, GZIP)),
        ("/counter/mytho.svg", (PLAIN, GZIP, PLAIN)),
    ],
)
async def test_a_long_answer_is_compressed_for_who_takes_it_made_or_cached(
    client: httpx.AsyncClient, address: str, order: tuple[dict[str, str], ...]
) -> None:
    bodies, tags = set(), set()
    for headers in order:
        answer, sent = await raw(client, address, headers)
        assert answer.status_code == 200
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) == len(sent)
        if headers is GZIP:
            assert answer.headers["content-encoding"] == "gzip"
            assert len(sent) < len(gzip.decompress(sent))
            sent = gzip.decompress(sent)
        else:
            assert "content-encoding" not in answer.headers
        assert len(sent) >= MIN_BYTES
        bodies.add(sent)
        tags.add(answer.headers["etag"])

        held = headers | {"If-None-Match": answer.headers["etag"]}
        unchanged, nothing = await raw(client, address, held)
        assert (unchanged.status_code, nothing) == (304, b"")
        assert unchanged.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in unchanged.headers
    assert len(tags) == 1
    if address.startswith(COUNTER):
        assert len({str(msgspec.json.decode(body)["paths"]) for body in bodies}) == 1


async def test_a_hundred_pages_take_less_than_a_seventh(client: httpx.AsyncClient) -> None:
    _, packed = await raw(client, long("/tenth"), GZIP)
    _, plain = await raw(client, long("/tenth"), PLAIN)

    assert len(packed) * 7 < len(plain)


@pytest.mark.parametrize("headers", [GZIP, PLAIN])
async def test_a_short_answer_has_one_form(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for _ in range(2):
        answer, sent = await raw(client, COUNTER, headers)
        assert len(sent) < MIN_BYTES
        assert "content-encoding" not in answer.headers
        assert "vary" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("GZIP", True),
        ("br;q=1.0, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("br", False),
        ("", False),
    ],
)
async def test_only_what_the_client_takes(
    client: httpx.AsyncClient, accepted: str, packed: bool
) -> None:
    for _ in range(2):
        answer, _ = await raw(client, long("/takes"), {"Accept-Encoding": accepted})
        assert ("content-encoding" in answer.headers) is packed


async def test_the_head_of_a_long_answer_says_what_its_body_would_be(
    client: httpx.AsyncClient,
) -> None:
    head, nothing = await raw(client, long("/head"), GZIP, "HEAD")

    assert (head.headers["content-encoding"], nothing) == ("gzip", b"")
    assert head.headers["vary"] == "Accept-Encoding"


async def test_the_most_read_pages_are_compressed_too(
    api: Api, client: httpx.AsyncClient, store: Store
) -> None:
    changes: dict[str, Any] = {"public_top": True, "top_min_visitors": 0}
    await save(api, msgspec.structs.replace(SITE, **changes))
    for path in PATHS[:50]:
        await write_counter(
            store, "mytho", "day", date(2024, 1, 3), 0, views=5, path=path, position=1
        )

    answer, packed = await raw(client, "/api/top/mytho?limit=50", GZIP)
    _, plain = await raw(client, "/api/top/mytho?limit=50", PLAIN)

    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain
