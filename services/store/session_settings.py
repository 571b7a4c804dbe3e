"""The settings that every session of ours has."""

from typing import Any

from services.store.threaded import MAX_ELEMENTS, MAX_QUERY_BYTES

_ASYNC_INSERT_SINCE = (21, 11)

_ON_SHARDS: dict[str, int | str] = {
    # The answer to an insert comes once the rows are on the shards.
    "insert_distributed_sync": 1,
    # All of a site is on one shard, so each shard answers for itself.
    "distributed_product_mode": "local",
    # What was written to a replica is read from it.
    "load_balancing": "in_order",
    # Rather from another one, where it has not had anything new for so many seconds.
    "max_replica_delay_for_distributed_queries": 10,
    # A partition that is dropped is gone on every replica.
    "replication_alter_partitions_sync": 2,
}


def of(server: Any, *, on_shards: bool) -> dict[str, int | str]:
    """Return the settings for a server, as the driver tells of it, alone or of a cluster."""
    settings: dict[str, int | str] = {
        "max_query_size": MAX_QUERY_BYTES,
        "max_ast_elements": MAX_ELEMENTS,
        "max_expanded_ast_elements": MAX_ELEMENTS,
        # A replicated table would take the repetition of an insert for done, and never push it to
        # the views that failed the first time. Our rows may be inserted twice.
        "insert_deduplicate": 0,
    }
    if on_shards:
        settings |= _ON_SHARDS
    # An old server warns of every setting that it does not know.
    if (server.version_major, server.version_minor) >= _ASYNC_INSERT_SINCE:
        return settings | {"async_insert": 0}
    return settings | {"allow_experimental_low_cardinality_type": 1}
