"""What a request says of the browser behind it: address, scheme, and the page that sent it."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_network
from urllib.parse import urlsplit

from starlette.requests import Request

from services.http.client_address import Addresses, Network, parse

_OURS = ("same-origin", "none")


class ClientAddresses:
    """Reads requests as the trusted proxies in front of Luot pass them on."""

    def __init__(self, trusted: Sequence[Network], public_url: str | None) -> None:
        self._addresses = Addresses(trusted)
        self._public = urlsplit(public_url) if public_url else None

    def address(self, request: Request) -> str:
        """Return the client's address."""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        return self._addresses.client(self.peer(request), forwarded)

    def network(self, request: Request) -> str:
        """Return the client's address; of IPv6 the /64, which is what one household has."""
        address = self.address(request)
        known = parse(address)
        if isinstance(known, IPv6Address):
            return str(ip_network((known, 64), strict=False))
        return address

    def is_secure(self, request: Request) -> bool:
        """Tell whether the browser came over TLS."""
        if self._public is not None and self._public.netloc == request.headers.get("host"):
            return self._public.scheme == "https"
        if self._addresses.trusts(self.peer(request)):
            forwarded = request.headers.get("x-forwarded-proto", "")
            if forwarded:
                return forwarded.partition(",")[0].strip().lower() == "https"
        return request.url.scheme == "https"

    def trusts(self, request: Request) -> bool:
        """Tell whether a trusted proxy sent the request, or this machine by a local socket."""
        return self._addresses.trusts(self.peer(request))

    def host(self, request: Request) -> str:
        """Return the host under which people know this server, without a port."""
        named = self._public.hostname if self._public is not None else request.url.hostname
        return named or ""

    def is_foreign(self, request: Request) -> bool:
        """Tell whether a page of another origin sent the request, as far as the browser says.

        See the Fetch Metadata Request Headers of the W3C. Over plain HTTP, and in older browsers,
        there is `Origin` only; of that the host counts, for proxies often drop the port of `Host`.
        """
        fetched = request.headers.get("sec-fetch-site")
        if fetched is not None:
            return fetched not in _OURS
        origin = request.headers.get("origin")
        if origin is None:
            return False
        ours = {_host(f"//{request.headers.get('host', '')}")}
        if self._public is not None:
            ours.add(self._public.hostname)
        sender = _host(origin)
        return sender is None or sender not in ours

    @staticmethod
    def peer(request: Request) -> str:
        """Return the address at the other end of the connection; '' for a local socket."""
        return request.client.host if request.client else ""


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
