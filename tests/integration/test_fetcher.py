"""The fetcher reaches hosts that are named, and nothing inside the network of the server."""

import gzip
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from services.http import fetcher
from services.http.fetcher import FetchedPage, Fetcher, FetchError, Resolve
from tests.servers.portal import Answer, Portal, page, redirect, served

NAMED = ("portal.example", "www.portal.example", "127.0.0.1", "[::1]", "::1", "2130706433")


@pytest_asyncio.fixture
async def portal() -> AsyncIterator[Portal]:
    async with served() as portal:
        yield portal


def names(**addresses: str | list[str]) -> Resolve:
    """Return DNS, in which names have addresses, one after another where there are several."""
    left = {
        name.replace("_", "."): [of] if isinstance(of, str) else list(of)
        for name, of in addresses.items()
    }

    async def resolve(host: str, port: int) -> list[str]:
        of = left.get(host, [])
        return [of.pop(0) if len(of) > 1 else of[0]] if of else []

    return resolve


@asynccontextmanager
async def asked(
    url: str,
    resolve: Resolve | None = None,
    private: tuple[str, ...] = ("127.0.0.1",),
    seconds: float = fetcher.SECONDS,
) -> AsyncIterator[FetchedPage]:
    async with (
        Fetcher(NAMED.__contains__, private, resolve) as fetching,
        fetching.fetching(url, seconds=seconds) as answer,
    ):
        yield answer


async def fetch(
    url: str, resolve: Resolve | None = None, private: tuple[str, ...] = (), most: int = 1000
) -> bytes:
    async with asked(url, resolve, private) as answer:
        return b"".join([piece async for piece in answer.pieces(most)])


async def refused(
    url: str, why: str, resolve: Resolve | None = None, private: tuple[str, ...] = ()
) -> None:
    with pytest.raises(FetchError, match=why):
        await fetch(url, resolve, private)


async def test_a_page_comes_from_the_checked_address_of_its_name(portal: Portal) -> None:
    portal.pages["/tin?a=1"] = page("Tin")
    url = portal.url("/tin?a=1#below", "portal.example")
    mine = ("portal.example",)
    assert b"Tin" in await fetch(url, names(portal_example="127.0.0.1"), private=mine)
    [asked] = portal.asked
    assert asked.headers["host"] == f"portal.example:{portal.port}"
    assert asked.headers["user-agent"].startswith("Luot/")
    assert "cookie" not in asked.headers


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
    ],
)
async def test_no_name_leads_to_an_address_that_is_not_public(address: str) -> None:
    await refused(
        "http://portal.example/", "is not public", names(portal_example=["8.8.8.8", address][1:])
    )

    async def both(host: str, port: int) -> list[str]:
        return ["8.8.8.8", address]

    await refused("https://portal.example/", "is not public", both)


async def test_an_address_written_as_a_host_is_checked_as_well(portal: Portal) -> None:
    for host in ("127.0.0.1", "[::1]", "2130706433"):
        await refused(f"http://{host}/", "is not public|has no address|not a host")
    assert not portal.asked


async def test_a_name_that_moves_after_the_check_is_not_followed(portal: Portal) -> None:
    """DNS rebinding: the connection goes to the address that was checked."""
    asked: list[str] = []

    async def moving(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    portal.pages["/"] = page("Trang chủ")
    await fetch(portal.url("/", "portal.example"), moving, private=("portal.example",))
    assert asked == ["portal.example"]


async def test_each_redirect_is_checked_as_a_new_request(portal: Portal) -> None:
    mine = ("portal.example",)
    dns = names(portal_example="127.0.0.1", www_portal_example="127.0.0.1")
    for to, why in (
        ("http://169.254.169.254/latest/meta-data/", "is not a host of the site"),
        (f"http://localhost:{portal.port}/", "is not a host of the site"),
        ("http://www.portal.example/", "is not public"),
        (f"http://www.portal.example:{portal.port}/", "expected port 80"),
        ("file:///etc/passwd", "expected http"),
        ("gopher://portal.example/", "expected http"),
        ("http://a:b@portal.example/", "password"),
        ("http://portal.example:bad/", "not an address|Invalid URL"),
        ("//\x00", "does not answer|not an address"),
    ):
        portal.pages["/away"] = redirect(to)
        await refused(portal.url("/away", "portal.example"), why, dns, private=mine)
    assert {asked.path for asked in portal.asked} == {"/away"}
    portal.pages["/away"] = redirect("/here")
    portal.pages["/here"] = page("Đây")
    assert await fetch(portal.url("/away", "portal.example"), dns, private=mine)


async def test_redirects_end(portal: Portal) -> None:
    def on(asked: object) -> Answer:
        return redirect(f"/{len(portal.asked)}")

    portal.pages |= {f"/{number}": on for number in range(10_000)}
    await refused(portal.url("/0"), "more than 5 redirects", private=("127.0.0.1",))
    assert len(portal.asked) == 6


@pytest.mark.parametrize("packed", [1, 2])
async def test_a_gzip_bomb_takes_neither_memory_nor_time(portal: Portal, packed: int) -> None:
    bomb = bytes(100_000_000)
    for _ in range(packed):
        bomb = gzip.compress(bomb)
    portal.pages["/"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    async with asked(portal.url("/")) as answer:
        sizes: list[int] = []

        async def read() -> None:
            async for piece in answer.pieces(5_000_000):
                sizes.append(len(piece))  # noqa: PERF401

        with pytest.raises(FetchError, match="more than 5000000 bytes"):
            await read()
    assert max(sizes) <= 64 * 1024
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4_000_000


async def test_what_is_packed_comes_unpacked_and_damage_is_told(portal: Portal) -> None:
    text = b"<urlset/>" * 9
    for layers, headers in ((1, {"Content-Encoding": "gzip"}), (1, {}), (2, {})):
        body = text
        for _ in range(layers):
            body = gzip.compress(body)
        portal.pages["/"] = Answer(body, headers=headers)
        assert await fetch(portal.url("/"), private=("127.0.0.1",)) == text
    portal.pages["/"] = Answer(b"x")
    assert await fetch(portal.url("/"), private=("127.0.0.1",)) == b"x"
    portal.pages["/"] = Answer(gzip.compress(text)[:4] + b"damage" * 9)
    await refused(portal.url("/"), "cannot be unpacked", private=("127.0.0.1",))
    portal.pages["/"] = Answer(text, headers={"Content-Encoding": "br"})
    await refused(portal.url("/"), "packed as 'br'", private=("127.0.0.1",))
    await refused(portal.url("/none"), "answers with 404", private=("127.0.0.1",))


async def test_an_endless_body_ends(portal: Portal) -> None:
    portal.pages["/"] = Answer(b"x" * 10_000, is_endless=True)
    await refused(portal.url("/"), "more than 1000 bytes", private=("127.0.0.1",))
    async with asked(portal.url("/")) as answer:
        assert len(await answer.start_of(50_000)) == 50_000


async def test_a_portal_that_says_nothing_is_left_after_its_time(portal: Portal) -> None:
    portal.pages["/"] = Answer(b"", is_endless=True)

    async def ask() -> None:
        async with asked(portal.url("/"), seconds=0.1) as answer:
            await answer.start_of(10)

    with pytest.raises(FetchError, match="takes more than"):
        await ask()


async def test_what_is_no_address_of_the_site_is_not_asked_for() -> None:
    for url, why in (
        ("http://other.example/", "other.example is not a host of the site"),
        ("ftp://portal.example/", "expected http"),
        ("http:///x", "expected http"),
        ("http://portal.example:22/", "expected port 80"),
        ("https://portal.example:80/", "expected port 443"),
        (f"http://portal.example/{'x' * 3000}", "longer than 2048"),
        ("http://[portal.example/", "not an address"),
    ):
        await refused(url, why, names(portal_example="8.8.8.8"))
    await refused("http://portal.example/", "has no address", names())
