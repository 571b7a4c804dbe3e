"""What replication has not yet delivered to a host: it is used only once it lacks nothing.

Replicas fetch parts in parallel, so a host can have the newest rows and lack some before them.
`SYSTEM SYNC REPLICA` would show that, too, but it also waits for merges, which can take hours.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import TypeVar

from services.store.interface import Store, StoreUnavailableError

StoreT = TypeVar("StoreT", bound=Store)

WAIT_SECONDS = 10.0
"""How long a host may take to catch up with others; usually that is a moment."""
_PAUSE_SECONDS = 0.1

_Entry = tuple[str, str]
"""A table, and the number of an entry in the queue of its replica."""

_REPLICAS = """
SELECT table, zookeeper_path, replica_path, queue_size, log_max_index, log_pointer,
       is_readonly OR is_session_expired OR total_replicas = 0
FROM system.replicas
WHERE database = currentDatabase()
"""

# An empty log and one with a single entry both have 0 as their highest number.
_LOG = "SELECT count() FROM system.zookeeper WHERE path = %(path)s"

# A server that was killed does not read its queue before its last session has ended. Until then it
# shows the parts that it has, without those that it found missing, and is not called readonly.
_QUEUED = "SELECT numChildren FROM system.zookeeper WHERE path = %(path)s AND name = 'queue'"

# A merge or a mutation creates no new data; whatever it still lacks has its own entry in the queue.
_QUEUE = """
SELECT table, node_name
FROM system.replication_queue
WHERE database = currentDatabase() AND type NOT IN %(ignored)s
"""


_LEADS = """
SELECT is_leader
FROM system.replicas
WHERE database = currentDatabase() AND table = %(table)s
"""


async def leader(replicas: Sequence[StoreT], table: str) -> StoreT:
    """Return the leader replica of a table; the first that answers if none says so.

    In version 18.16, the others forward statements that drop rows to it, as `default` without a
    password. In newer ones all lead. Raises StoreError, and StoreUnavailableError if none answers.
    """
    answering: StoreT | None = None
    silent: StoreUnavailableError | None = None
    for replica in replicas:
        try:
            rows = await replica.execute(_LEADS, {"table": table})
        except StoreUnavailableError as error:
            silent = error
            continue
        if rows and rows[0][0]:
            return replica
        answering = answering or replica
    if answering is None:
        raise silent or StoreUnavailableError(f"no replica of {table} is known")
    return answering


async def lacking(
    host: Store, wait_seconds: float = WAIT_SECONDS, *, deletions: bool = True
) -> str | None:
    """Return what a host lacks of what was written before the call, or None.

    Waits a while for it to arrive. Tables that are not replicated lack nothing. Raises StoreError
    and StoreUnavailableError.

    deletions  whether it also lacks what was deleted elsewhere and is still there
    """
    ignored = ["MERGE_PARTS"] if deletions else ["MERGE_PARTS", "MUTATE_PART"]
    deadline = time.monotonic() + wait_seconds
    ends: dict[str, int] = {}
    queued: set[_Entry] | None = None
    while True:
        unknown, behind = await _read(host, ends)
        if not unknown and not behind:
            entries = await host.execute(_QUEUE, {"ignored": ignored}) if ends else []
            now = {(table, node) for table, node in entries}
            # Later entries are about later rows.
            queued = now if queued is None else queued & now
            if not queued:
                return None
            behind = {table for table, _ in queued}
        if time.monotonic() >= deadline:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    if unknown:
        return f"ZooKeeper does not say what must be in it: {_names(unknown)}"
    return f"it lags: replication has not brought all of {_names(behind)}"


async def _read(host: Store, ends: dict[str, int]) -> tuple[set[str], set[str]]:
    """Return the tables that know nothing of their replicas, and those whose log is not read.

    Stores in `ends` the end that each log had when first seen.
    """
    unknown, behind = set(), set()
    for table, path, own_path, queued, last, read, deaf in await host.execute(_REPLICAS):
        if deaf:
            unknown.add(table)
            continue
        if table not in ends:
            in_queue = await host.execute(_QUEUED, {"path": own_path})
            if queued < sum(count for (count,) in in_queue):
                behind.add(table)
                continue
            ends[table] = last + 1 if last or read else await _length(host, path)
        if read < ends[table]:
            behind.add(table)
    return unknown, behind


async def _length(host: Store, path: str) -> int:
    ((entries,),) = await host.execute(_LOG, {"path": f"{path}/log"})
    return int(entries)


def _names(tables: Collection[str]) -> str:
    return ", ".join(sorted(tables))
