"""Names of all shared state in Redis; no other module spells them."""

from hashlib import blake2b

SITES = "sites"
"""Hash of slug → the site as JSON; the API is its only writer."""
SITES_BESIDE = "{sites}:beside"
"""On a cluster, a key beside SITES: if it is gone, the sites may be lost with it."""
CHANGING_SITES = "sites:changing"
"""Lock of the API process that changes sites."""
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
SENDING_REPORTS = "reports:sending"
"""Lock of the API process that sends reports by e-mail."""
WATCHING_ALERTS = "alerts:watching"
"""Lock of the API process that checks for alerts."""
ALERTS_WATCHED = "alerts:watched"
"""Since when, and until when, alerts were checked for without a pause: `ms ms`."""
TOKENS_USED = "tokens:used"
"""Hash of a token's id → when it was last used, in ms, to a few minutes."""
SEND_TOKENS = "tokens:send"
"""Hash of a token's digest → whose it is as JSON, and '' → the version of all of it; the API is its
only writer."""
SPOOLED = "spooled"
"""Hash of an ingest process's id → when it reported, how many hits its spool holds, and for how
many ms the oldest has waited."""
SIGN_IN_SALT = "sign-in:salt"
"""Random salt for hashing the names and addresses of failed sign-ins."""


def changes(database: int) -> str:
    """Return the channel for notices of changes; all databases of a server share channels."""
    return f"changes:{database}"


def salt(site: str, day: str) -> str:
    """Return the key of the random salt of a site's day (ISO date)."""
    return f"salt:{site}:{day}"


def site_reader(reader: str) -> str:
    """Return the key of the digest of the sites that an ingest process knows; it expires."""
    return f"sites:reader:{reader}"


def opened_paths(site: str, day: str) -> str:
    """Return the string of digests of the paths that were new on a site's day (ISO date)."""
    return f"opened:{site}:{day}"


def path_history(site: str) -> str:
    """Return the digests of the paths that have counters; the aggregator is its only writer."""
    return f"history:{site}"


def kept_fold(group: str, partition: int) -> str:
    """Return the state of a partition's fold; its owner is its only writer."""
    return f"fold:{group}:{partition}"


def untrusted(window: int) -> str:
    """Return the hash of slug → hits through untrusted proxies, of one window of time."""
    return f"untrusted:{window}"


def foreign_hosts(window: int) -> str:
    """Return the hash of slug → hits from pages on other hosts, of one window of time."""
    return f"foreign-hosts:{window}"


def over_budget(window: int) -> str:
    """Return the hash of slug → hits from addresses that sent too much, of one window of time."""
    return f"over-budget:{window}"


def over_room(window: int) -> str:
    """Return the hash of slug → hits for which a site had no room left, of one window of time."""
    return f"over-room:{window}"


def numbers_field(site: str, metric: str) -> str:
    """Return the field of NUMBERS that holds a site's numbers in one measure."""
    return f"{site} {metric}"


def reset_field(site: str) -> str:
    """Return the field of NUMBERS that says since when a site's numbers are valid."""
    return site


def pages(site: str) -> str:
    """Return the hash of a path's digest → the last good views of the page."""
    return f"pages:{site}"


def correcting(site: str) -> str:
    """Return the lock of the API process that makes or reverses a correction of a site."""
    return f"correcting:{site}"


def reading_titles(site: str) -> str:
    """Return the lock of the API process that reads the titles of a site's portal."""
    return f"reading-titles:{site}"


def page_field(path: str) -> bytes:
    """Return the field of a page: a digest, since anybody can request pages with long names."""
    return blake2b(path.encode(), digest_size=16).digest()


def session(digest: str) -> str:
    """Return the key of a session, by the SHA-256 of its id."""
    return f"session:{digest}"


def sessions(user: str) -> str:
    """Return the set of the digests of a user's sessions."""
    return f"sessions:{user}"


def sign_ins(what: str, digest: str) -> str:
    """Return the count of failed sign-ins for a hashed name, address or browser.

    One script reads several of them: the hash tag in braces puts them on one node of a cluster.
    """
    return f"sign-in:{{failed}}:{what}:{digest}"


def half_sign_in(digest: str) -> str:
    """Return the key of a sign-in that waits for its code, by the SHA-256 of its id."""
    return f"half-sign-in:{digest}"


def code_step(user: str) -> str:
    """Return the key of the time step of the last code that a user signed in with."""
    return f"code-step:{user}"
