"""Which IP addresses are public: a server that fetches must not reach into its own network."""

import ipaddress
from collections.abc import Sequence

_REFUSED_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure answers its virtual machines there.
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
"""Those in IANA's registry of special-purpose addresses, and everything from multicast on."""
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""All that IANA has allocated; what maps or tunnels IPv4 is outside of it, or refused below."""
_REFUSED_V6 = tuple(
    map(
        ipaddress.IPv6Network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)


def is_public(address: str) -> bool:
    """Tell whether an IP address is publicly reachable.

    IPv6 addresses that stand for an IPv4 one are not. Raises ValueError if it is not an address.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    return parsed in _PUBLIC_V6 and not any(parsed in network for network in _REFUSED_V6)


def first_not_public(addresses: Sequence[str]) -> str | None:
    """Return the first address that is not public, None when all are."""
    return next((one for one in addresses if not is_public(one)), None)
