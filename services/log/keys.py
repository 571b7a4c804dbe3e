"""Names of everything Luot keeps in Redis.

Real braces: on a Redis Cluster everything of one partition lives in one slot.
"""

TOPIC = "hits"

DEAD = "hits:dead"
"""Stream of entries that could not be decoded, with the reason."""
PARTITIONS = "hits:partitions"
"""How many partitions the log has; written once."""
SITES = "sites"
"""Hash of slug → the site as JSON; the API is its only writer."""
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
SIGN_IN_SALT = "sign-in:salt"
"""Random; what names and addresses are hashed with that failed to sign in."""


def stream(partition: int, topic: str = TOPIC) -> str:
    """Return the stream of a partition."""
    return f"{topic}:{{{partition}}}"


def producer(partition: int, producer_id: str) -> str:
    """Return the key of a producer's last sequence in a partition."""
    return f"{stream(partition)}:producer:{producer_id}"


def imported(partition: int, producer_id: str) -> str:
    """Return the hash that says how far an import is in a partition; it holds its salt, too."""
    return f"{stream(partition)}:import:{producer_id}"


def import_salt(site: str) -> str:
    """Return the key of the salt that the imports of a site share."""
    return f"salt:{site}:import"


def commits(group: str, topic: str = TOPIC) -> str:
    """Return the hash of partition → next position to read."""
    return f"{topic}:commits:{group}"


def owner(partition: int, group: str, topic: str = TOPIC) -> str:
    """Return the key of the lease on a partition."""
    return f"{stream(partition, topic)}:owner:{group}"


def workers(group: str, topic: str = TOPIC) -> str:
    """Return the sorted set of worker → when it was last alive, in ms of Redis's clock."""
    return f"{topic}:workers:{group}"


def salt(site: str, day: str) -> str:
    """Return the key of the random salt of a site's day (ISO date)."""
    return f"salt:{site}:{day}"


def paths(site: str, day: str) -> str:
    """Return the set of the distinct paths (8-byte digests) of a site's day (ISO date)."""
    return f"paths:{site}:{day}"


def numbers_field(site: str, metric: str) -> str:
    """Return the field of NUMBERS that holds a site's numbers in one measure."""
    return f"{site} {metric}"


def reset_field(site: str) -> str:
    """Return the field of NUMBERS that says since when the numbers of a site count."""
    return site


def pages(site: str) -> str:
    """Return the hash of path → the last good views of the page."""
    return f"pages:{site}"


def session(digest: str) -> str:
    """Return the key of a session, by the SHA-256 of its id."""
    return f"session:{digest}"


def sessions(user: str) -> str:
    """Return the set of the digests of a user's sessions."""
    return f"sessions:{user}"


def sign_ins(what: str, digest: str) -> str:
    """Return the count of failed sign-ins for a hashed name or address."""
    return f"sign-in:{what}:{digest}"
