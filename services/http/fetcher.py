"""Fetches pages of named hosts over http and https, and never reaches into a private network.

Every address of a name is checked, and the connection goes to a checked address itself: a name that
resolves differently a moment later changes nothing. A redirect is a new request, with all checks.
"""

import asyncio
import socket
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

from services import __version__
from services.http.errors import shown
from services.http.gunzip import PIECE_BYTES, Gunzip
from services.http.public_addresses import first_not_public
from services.model.hosts import fold
from services.runtime.reasons import reason

MAX_REDIRECTS = 5
MAX_URL = 2048
SECONDS = 20.0
"""For a whole answer, including all redirects."""
CONNECT_SECONDS = 10.0
PORTS = {"http": 80, "https": 443}
MOST_ADDRESSES = 4
"""How many addresses of a name are tried."""

Resolve = Callable[[str, int], Awaitable[list[str]]]


class FetchError(Exception):
    """A page could not be fetched; says which and why. `status` is that of the answer, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class FetchedPage:
    """An answer whose body is still to be read.

    url     where it came from in the end
    status  200, or 304 when the known copy is still current
    """

    def __init__(self, url: str, answer: httpx.Response) -> None:
        self.url = url
        self.status = answer.status_code
        self._answer = answer

    def header(self, name: str) -> str:
        """Return a header, '' when there is none."""
        return str(self._answer.headers.get(name, ""))

    async def pieces(self, most: int) -> AsyncGenerator[bytes, None]:
        """Yield the body, unpacked, in pieces of at most 64 KiB.

        most  more bytes than this are an error, compressed or not

        Raises FetchError.
        """
        coding = self.header("content-encoding").lower()
        if coding not in ("", "identity", "gzip", "x-gzip"):
            raise FetchError(f"{shown(self.url)} is packed as {shown(coding)}; expected gzip")
        # A file.xml.gz may be sent compressed once more.
        outer, inner = Gunzip(), Gunzip()
        received, given = 0, 0
        try:
            async for chunk in self._answer.aiter_raw(PIECE_BYTES):
                received += len(chunk)
                for packed in outer.feed(chunk):
                    for piece in inner.feed(packed):
                        given += len(piece)
                        if max(received, given) > most:
                            raise FetchError(f"{shown(self.url)} has more than {most} bytes")
                        yield piece
                # Unpacking a lot must not block other work.
                await asyncio.sleep(0)
        except httpx.HTTPError as error:
            why = reason(error)
            raise FetchError(f"{shown(self.url)} breaks off: {why}") from None
        except zlib.error as error:
            raise FetchError(f"{shown(self.url)} cannot be unpacked: {error}") from None
        if rest := inner.rest() or outer.rest():
            yield rest

    async def start_of(self, most: int) -> bytes:
        """Return the body up to a number of bytes. Raises FetchError."""
        body = bytearray()
        async with aclosing(self.pieces(most + 2 * PIECE_BYTES)) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) >= most:
                    break
        return bytes(body[:most])


class Fetcher:
    """Fetches from the hosts that `allows` accepts; a context manager."""

    def __init__(
        self,
        allows: Callable[[str], bool],
        private: Collection[str] = (),
        resolve: Resolve | None = None,
        about: str = "",
    ) -> None:
        """Prepare it; nothing is requested yet.

        allows   tells whether pages of a host may be fetched, by its name as `hosts.fold` makes it
        private  hosts that may have private addresses, and may be fetched from on any port
        resolve  returns the addresses of a host; by default, those of the system's resolver
        about    a URL that says who is fetching, for whoever reads the portal's log
        """
        self._allows = allows
        self._private = frozenset(map(fold, private))
        self._resolve = resolve or _system_addresses
        more = f"; +{about}" if about else ""
        self.agent = f"Luot/{__version__} (titles of pages; bot{more})"
        self._client = httpx.AsyncClient(
            # No environment: a proxy would resolve names by itself.
            trust_env=False,
            timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            # A connection belongs to an address, not to a name: it must not serve two names.
            limits=httpx.Limits(max_keepalive_connections=0, max_connections=4),
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def fetching(
        self, url: str, headers: Mapping[str, str] | None = None, seconds: float = SECONDS
    ) -> AsyncIterator[FetchedPage]:
        """Request a page; processing it counts towards the seconds that it may take.

        Raises FetchError for anything but 200 and 304.
        """
        try:
            async with asyncio.timeout(seconds):
                for _ in range(MAX_REDIRECTS + 1):
                    async with self._asked(url, headers or {}) as answer:
                        if answer.has_redirect_location:
                            url = _joined(url, answer.headers["location"])
                            continue
                        if answer.status_code not in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
                            status = answer.status_code
                            raise FetchError(f"{shown(url)} answers with {status}", status)
                        yield FetchedPage(url, answer)
                        return
                raise FetchError(f"{shown(url)}: more than {MAX_REDIRECTS} redirects")
        except TimeoutError:
            raise FetchError(f"{shown(url)} takes more than {seconds:.0f} s") from None

    @asynccontextmanager
    async def _asked(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        host, port, target = self._checked(url)
        answer = None
        failed: Exception | None = None
        for address in await self._addresses(host, port):
            request = self._client.build_request(
                "GET",
                target.copy_with(host=address),
                headers={
                    "Accept-Encoding": "gzip",
                    **headers,
                    "User-Agent": self.agent,
                    "Host": host if port in PORTS.values() else f"{host}:{port}",
                },
                # The certificate must be for the name.
                extensions={"sni_hostname": host},
            )
            try:
                answer = await self._client.send(request, stream=True)
                break
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
            except httpx.HTTPError as error:
                failed = error
                break
        if answer is None:
            why = str(failed) or type(failed).__name__
            raise FetchError(f"{shown(url)} does not answer: {why}")
        try:
            yield answer
        finally:
            await answer.aclose()

    def _checked(self, url: str) -> tuple[str, int, httpx.URL]:
        """Return host, port and address of a page that may be fetched. Raises FetchError."""
        if len(url) > MAX_URL:
            raise FetchError(f"{shown(url)} is longer than {MAX_URL} characters")
        try:
            parts = urlsplit(url)
            host, port = fold(parts.hostname or ""), parts.port or PORTS.get(parts.scheme, 0)
        except ValueError:
            raise FetchError(f"{shown(url)} is not an address of a page") from None
        if parts.scheme not in PORTS or not host:
            raise FetchError(f"{shown(url)}: expected http:// or https:// and a host")
        if parts.username or parts.password:
            raise FetchError(f"{shown(url)}: an address with a password is not fetched")
        if not self._allows(host):
            raise FetchError(f"{shown(url)}: {host} is not a host of the site")
        if host not in self._private and port != PORTS[parts.scheme]:
            raise FetchError(
                f"{shown(url)}: expected port {PORTS[parts.scheme]}; name the host in"
                " LUOT_FETCH_PRIVATE for another one"
            )
        try:
            target = httpx.URL(parts._replace(netloc=f"host:{port}", fragment="").geturl())
        except httpx.InvalidURL as error:
            raise FetchError(f"{shown(url)} is not an address of a page: {error}") from None
        return host, port, target

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, every one checked. Raises FetchError."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise FetchError(f"{host} has no address: {reason(error)}") from None
        if not addresses:
            raise FetchError(f"{host} has no address")
        if host not in self._private and (refused := first_not_public(addresses)):
            raise FetchError(
                f"{host} has the address {refused}, which is not public; LUOT_FETCH_PRIVATE names"
                " hosts that may"
            )
        return addresses[:MOST_ADDRESSES]


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise FetchError(f"{shown(url)} redirects to {shown(location)}, no address") from None


async def _system_addresses(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    resolved = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in resolved))
