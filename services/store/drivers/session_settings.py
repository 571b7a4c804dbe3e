"""The settings of all our sessions."""

from typing import Any

from services.store.drivers.threaded import MAX_ELEMENTS, MAX_QUERY_BYTES

_ASYNC_INSERT_SINCE = (21, 11)

_ON_SHARDS: dict[str, int | str] = {
    # An insert is acknowledged once the rows are on the shards.
    "insert_distributed_sync": 1,
    # All of a site is on one shard, so each shard aggregates on its own.
    "distributed_product_mode": "local",
    # What was written to a replica is read from it.
    "load_balancing": "in_order",
    # Prefer another replica if this one has lagged for so many seconds.
    "max_replica_delay_for_distributed_queries": 10,
    # A dropped partition is gone on every replica.
    "replication_alter_partitions_sync": 2,
}


def of(server: Any, *, on_shards: bool) -> dict[str, int | str]:
    """Return the settings for a server described by the driver, standalone or in a cluster."""
    settings: dict[str, int | str] = {
        "max_query_size": MAX_QUERY_BYTES,
        "max_ast_elements": MAX_ELEMENTS,
        "max_expanded_ast_elements": MAX_ELEMENTS,
        # A replicated table would deduplicate a repeated insert, and never push it to the views
        # that failed the first time. Our rows may be inserted twice.
        "insert_deduplicate": 0,
    }
    if on_shards:
        settings |= _ON_SHARDS
    # An old server warns about every setting that it does not know.
    if (server.version_major, server.version_minor) >= _ASYNC_INSERT_SINCE:
        return settings | {"async_insert": 0}
    return settings | {"allow_experimental_low_cardinality_type": 1}
