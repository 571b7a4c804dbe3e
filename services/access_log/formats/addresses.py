"""The client's address behind a proxy, from X-Forwarded-For."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

# Private addresses: proxies, containers, load balancers.
_OWN = [
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
]

_NOBODY = ("", "-", "unknown")


@lru_cache(4096)
def forwarded_for(text: str) -> str:
    """Return the reader's address in X-Forwarded-For; '' when there is none.

    Each proxy appends the address of its client, and anything before that may be forged: so it is
    the last address that is not private, or else the first one.
    """
    hops = [hop for part in text[:1024].split(",") if (hop := _address(part))]
    for hop in reversed(hops):
        address = ip_address(hop)
        if not any(address in network for network in _OWN if network.version == address.version):
            return hop
    return hops[0] if hops else ""


def reader_of(text: str, connection: str, named: bool) -> str:
    """Return the reader's address in a field of a proxy, or that of the connection if it has none.

    A field that was `named` by the operator may hold something else that tells readers apart, such
    as a host name.
    """
    forwarded = forwarded_for(text)
    if forwarded or not named:
        return forwarded or connection
    says_nothing = all(part.strip().lower() in _NOBODY for part in text.split(","))
    return connection if says_nothing else text


def _address(part: str) -> str:
    text = part.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    # ::ffff:10.0.0.5 is 10.0.0.5, as a server that listens on IPv6 sees it.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(address if mapped is None else mapped)
