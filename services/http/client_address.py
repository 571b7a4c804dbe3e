"""The address of a request's client, behind trusted proxies."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from socket import AF_INET, inet_ntop, inet_pton
from typing import Self

_MAX_HOPS = 32
_MAX_CACHED = 256
"""Characters; longer values are forged, and must not fill the cache."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Networks(tuple[Network, ...]):
    """Addresses and networks; comma-separated in a setting."""

    __slots__ = ()

    @classmethod
    def of_setting(cls, value: str) -> Self:
        """Parse a setting. Raises ValueError."""
        try:
            return cls(ip_network(part.strip()) for part in value.split(",") if part.strip())
        except ValueError as error:
            raise ValueError(
                f"{error}; expected addresses or networks, for example '127.0.0.0/8,10.1.2.3,::1'"
            ) from None


THIS_MACHINE = Networks((ip_network("127.0.0.0/8"), ip_network("::1")))


class Addresses:
    """Finds the client of a request from its peer and `X-Forwarded-For`."""

    def __init__(self, trusted: Sequence[Network], cached: int = 4096) -> None:
        self._trusted = tuple(trusted)
        self.trusts = lru_cache(cached)(self._is_trusted_peer)
        self._cached = lru_cache(cached)(self._client)

    def client(self, peer: str, forwarded: str) -> str:
        """Return the client's address: `_client` with a fast path for the common cases."""
        if not forwarded or not self.trusts(peer):
            return self._cached(peer, "")
        if _is_plain(forwarded):
            return forwarded
        find = self._cached if len(forwarded) <= _MAX_CACHED else self._client
        return find(peer, forwarded)

    def vouched(self, peer: str, forwarded: str) -> str:
        """Return the reader on whose behalf a server sent a request; '' if it names none.

        The server is the peer, or whoever a trusted proxy names; the reader is the next address
        before it that is not a trusted proxy.
        """
        is_server = True
        for text in (peer, *reversed(forwarded.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:])):
            hop = parse(text)
            if hop is None:
                if text:
                    break
            elif not self._trusts(hop):
                if not is_server:
                    return str(hop)
                is_server = False
        return ""

    def _is_trusted_peer(self, peer: str) -> bool:
        """Tell whether a peer ('' for a local socket) is a trusted proxy."""
        known = parse(peer)
        return not peer if known is None else self._trusts(known)

    def _client(self, peer: str, forwarded: str) -> str:
        """Return the client's address in its canonical form.

        peer       address at the other end of the connection, '' for a local socket
        forwarded  every X-Forwarded-For of the request, joined with commas, in their order

        An untrusted peer is the client, whatever it claims. Otherwise it is the right-most address
        that is not a trusted proxy; if an entry cannot be parsed, it is the address read just
        before that one, as in nginx (`real_ip_recursive`).
        """
        known = parse(peer)
        if known is None and peer:
            return peer
        if known is not None and not self._trusts(known):
            return str(known)
        for part in reversed(forwarded.rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]):
            hop = parse(part)
            if hop is None:
                break
            known = hop
            if not self._trusts(hop):
                break
        return "" if known is None else str(known)

    def _trusts(self, address: Address) -> bool:
        return any(
            address.version == network.version and address in network for network in self._trusted
        )


def _is_plain(text: str) -> bool:
    """Tell whether a text is one IPv4 address in its canonical form."""
    try:
        return inet_ntop(AF_INET, inet_pton(AF_INET, text)) == text
    except (OSError, ValueError):
        return False


def parse(text: str) -> Address | None:
    """Return an address as proxies write it (`v4`, `v4:port`, `v6`, `[v6]:port`), or None."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
