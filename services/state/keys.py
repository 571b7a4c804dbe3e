"""Names of all shared state in Redis; no other module spells them."""

from hashlib import blake2b

SITES = "sites"
"""Hash of slug → the site as JSON; the API is its only writer."""
SITE_READERS = "sites:readers"
"""Set of the ids of the ingest processes that have read the sites."""
ONLINE = "online"
"""Hash of slug → `<visitors>:<ms>`; the aggregator is its only writer."""

NUMBERS = "numbers"
"""Hash of `<slug> <metric>` → the last good numbers, and slug → since when they count, in ms;
the API is its only writer."""

ACCESS = "access:version"
"""Grows with every change of users and tokens, so that each API process loads them again."""
CHANGING_ACCESS = "access:changing"
"""Lock of the API process that changes users or tokens."""
TOKENS_USED = "tokens:used"
"""Hash of a token's id → when it was last used, in ms, to a few minutes."""
SEND_TOKENS = "tokens:send"
"""Hash of a token's digest → whose it is as JSON, and '' → the version of all of it; the API is its
only writer."""
SIGN_IN_SALT = "sign-in:salt"
"""Random salt for hashing the names and addresses of failed sign-ins."""


def salt(site: str, day: str) -> str:
    """Return the key of the random salt of a site's day (ISO date)."""
    return f"salt:{site}:{day}"


def site_reader(reader: str) -> str:
    """Return the key of the digest of the sites that an ingest process knows; it expires."""
    return f"sites:reader:{reader}"


def paths(site: str, day: str) -> str:
    """Return the set of the distinct paths (8-byte digests) of a site's day (ISO date)."""
    return f"paths:{site}:{day}"


def untrusted(window: int) -> str:
    """Return the hash of slug → hits through untrusted proxies, of one window of time."""
    return f"untrusted:{window}"


def numbers_field(site: str, metric: str) -> str:
    """Return the field of NUMBERS that holds a site's numbers in one measure."""
    return f"{site} {metric}"


def reset_field(site: str) -> str:
    """Return the field of NUMBERS that says since when the numbers of a site count."""
    return site


def pages(site: str) -> str:
    """Return the hash of a path's digest → the last good views of the page."""
    return f"pages:{site}"


def page_field(path: str) -> bytes:
    """Return the field of a page: a digest, because anybody can view pages with long names."""
    return blake2b(path.encode(), digest_size=16).digest()


def session(digest: str) -> str:
    """Return the key of a session, by the SHA-256 of its id."""
    return f"session:{digest}"


def sessions(user: str) -> str:
    """Return the set of the digests of a user's sessions."""
    return f"sessions:{user}"


def sign_ins(what: str, digest: str) -> str:
    """Return the count of failed sign-ins for a hashed name or address."""
    return f"sign-in:{what}:{digest}"
