"""Hashes of addresses for budgets: numbers that mean nothing outside this process."""

import secrets
from functools import lru_cache
from ipaddress import IPv6Network

from services.enrich.visitor_hash import hashed_part

_BLOCK = 48
"""Prefix length of an IPv6 network that one customer can have, with 65,536 /64s in it."""
_MAX_CACHED = 64
"""Characters; no address is longer, and longer strings must not fill the cache."""


AddressHash = tuple[int, int]
"""The same number twice for an IPv4 address; for an IPv6 address, those of its /64 and /48."""


class AddressHashes:
    """Hashes addresses under a secret that lives as long as the process.

    Nobody else knows it, so nobody can search for addresses that share a budget with another.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_hex(8)
        self._cached = lru_cache(maxsize=8192)(self._wide)

    def of(self, address: str) -> AddressHash:
        """Return the hash of an address."""
        if ":" not in address:
            one = hash(self._secret + address)
            return one, one
        return (self._cached if len(address) <= _MAX_CACHED else self._wide)(address)

    def _wide(self, address: str) -> AddressHash:
        part = hashed_part(address)
        network = hash(self._secret + part)
        try:
            block = str(IPv6Network(part).supernet(new_prefix=_BLOCK))
        except ValueError:
            return network, network
        return network, hash(self._secret + block)
