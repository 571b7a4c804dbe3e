"""Visitors: a hash that means nothing once the day's salt is gone."""

from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Network, ip_address

SALT_BYTES = 16
_PREFIX = 64
"""Bits of an IPv6 address assigned by the network; a device may change the others by itself."""
_MAX_CACHED = 64
"""In characters; no address is longer, and longer strings must not fill the cache."""


def visitor_hash(salt: bytes, site: str, address: str, user_agent: str) -> int:
    """Return the hash of a site's visitor on a day, 1 to 2^64 - 1; never 0, which means nobody.

    Keyed BLAKE2b (RFC 7693) over the three texts, each prefixed with its length, so that no two
    different triples give the same bytes. For an IPv6 address, its /64 is hashed.
    """
    one, two, three = site.encode(), hashed_part(address).encode(), user_agent.encode()
    framed = b"%d:%b%d:%b%d:%b" % (len(one), one, len(two), two, len(three), three)
    return int.from_bytes(blake2b(framed, digest_size=8, key=salt).digest(), "big") or 1


def hashed_part(address: str) -> str:
    """Return the part of an address that distinguishes visitors.

    The /64 of an IPv6 address ('2001:db8::/64'), the IPv4 address of an IPv4-mapped one, and
    anything else as it is.
    """
    if ":" not in address:
        return address
    return _cached(address) if len(address) <= _MAX_CACHED else address


@lru_cache(maxsize=8192)
def _cached(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), _PREFIX), strict=False))
