"""Visitors: a hash that means nothing once the day's salt is gone."""

from hashlib import blake2b

SALT_BYTES = 16


def visitor_hash(salt: bytes, site: str, address: str, user_agent: str) -> int:
    """Return the visitor of a site's day, 1 to 2^64 - 1; never 0, which means nobody.

    Keyed BLAKE2b (RFC 7693) over the three texts, each with its length before it, so that no
    two different triples are the same bytes.
    """
    one, two, three = site.encode(), address.encode(), user_agent.encode()
    framed = b"%d:%b%d:%b%d:%b" % (len(one), one, len(two), two, len(three), three)
    return int.from_bytes(blake2b(framed, digest_size=8, key=salt).digest(), "big") or 1
