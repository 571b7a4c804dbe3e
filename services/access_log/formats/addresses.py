"""Who asked, where a proxy stands before the server: the address in X-Forwarded-For."""

from functools import lru_cache
from ipaddress import ip_address, ip_network

# Addresses of machines of one's own: proxies, containers, balancers.
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


@lru_cache(4096)
def forwarded_for(text: str) -> str:
    """Return the reader whom X-Forwarded-For names; '' when it names none.

    Each proxy adds whom it was asked by at the end, and what stands before may be made up: the
    last address counts that is none of an own network, or else the first one.
    """
    hops = [hop for part in text[:1024].split(",") if (hop := _address(part))]
    for hop in reversed(hops):
        address = ip_address(hop)
        if not any(address in network for network in _OWN if network.version == address.version):
            return hop
    return hops[0] if hops else ""


def _address(part: str) -> str:
    text = part.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
