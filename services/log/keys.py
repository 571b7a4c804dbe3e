"""Names of everything the log keeps in Redis; those of shared state are in services/state.

The braces are hash tags: on a Redis Cluster, all keys of one partition are in one slot.
"""

TOPIC = "hits"

DEAD = "hits:dead"
"""Stream of entries that could not be decoded, with the reason."""
HELD = "hits:held"
"""Channel without subscribers; replicas receive its messages after all earlier writes."""
PARTITIONS = "hits:partitions"
"""How many partitions the log has; written once."""
IDENTITY = "hits:identity"
"""The log's identity; the aggregator writes here what the store holds."""
SHORT = "hits:short"
"""Set once all readers of the log understand short entries, and never unset."""
MOVE = "hits:move"
"""What the log knows of its last move to or from another one."""
PRODUCERS = "hits:{*}:producer:*"
IMPORTS = "hits:{*}:import:*"
IMPORT_SALTS = "salt:*:import"
"""Patterns of keys below; `parts` parses one."""


def stream(partition: int, topic: str = TOPIC) -> str:
    """Return the stream of a partition."""
    return f"{topic}:{{{partition}}}"


def producer(partition: int, producer_id: str) -> str:
    """Return the key of a producer's last sequence in a partition."""
    return f"{stream(partition)}:producer:{producer_id}"


def parts(key: str) -> tuple[int, str]:
    """Return the partition and the id in the key of a producer or an import."""
    _, _, rest = key.partition("{")
    number, _, rest = rest.partition("}")
    return int(number), rest.split(":", 2)[2]


def imported(partition: int, producer_id: str) -> str:
    """Return the hash with the progress of an import into a partition, and its salt."""
    return f"{stream(partition)}:import:{producer_id}"


def import_salt(site: str) -> str:
    """Return the key of the salt that the imports of a site share."""
    return f"salt:{site}:import"


def site_of_salt(key: str) -> str:
    """Return the site in the key of a salt of imports."""
    return key.removeprefix("salt:").removesuffix(":import")


def commits(group: str, topic: str = TOPIC) -> str:
    """Return the hash of partition → next position to read."""
    return f"{topic}:commits:{group}"


def written(group: str, topic: str = TOPIC) -> str:
    """Return the hash of partition → position of the newest batch whose counter rows are written.

    Only aggregators with several stores to choose from write it.
    """
    return f"{topic}:written:{group}"


def owner(partition: int, group: str, topic: str = TOPIC) -> str:
    """Return the key of the lease on a partition."""
    return f"{stream(partition, topic)}:owner:{group}"


def workers(group: str, topic: str = TOPIC) -> str:
    """Return the sorted set of worker → when it was last alive, in ms of Redis's clock."""
    return f"{topic}:workers:{group}"
