"""Which log the store is filled from: one permanent name, in the table `meta`.

A backup does not include it: a copy of the numbers does not own the log.
"""

import time

from services.store.interface import Store

NAME = "log"
# In the table `meta` the highest version of a name wins, so the earliest writer has the highest.
_FIRST_WINS = 1 << 62


async def load(store: Store) -> str | None:
    """Return the identity of the log; None if none was written. Raises StoreError."""
    rows = await store.execute(
        "SELECT argMax(value, version) FROM meta WHERE name = %(name)s HAVING count() > 0",
        {"name": NAME},
    )
    return str(rows[0][0]) if rows else None


async def fix(store: Store, identity: str) -> str:
    """Write the identity of the log; return the one in force. Raises StoreError."""
    version = _FIRST_WINS - time.time_ns()
    await store.insert("meta", {"name": [NAME], "version": [version], "value": [identity]})
    return await load(store) or identity
