"""When this installation was last backed up and examined: numbers in the table `meta`.

A backup does not include them: they are about the machine, not about its numbers.
"""

import time
from collections.abc import Mapping

from services.store.interface import Store

BACKUP_FINISHED_MS = "backup_finished_ms"
BACKUP_BYTES = "backup_bytes"
BACKUP_VERIFIED_MS = "backup_verified_ms"
DOCTOR_FINISHED_MS = "doctor_finished_ms"
DOCTOR_FAILURES = "doctor_failures"

NAMES = (
    BACKUP_FINISHED_MS,
    BACKUP_BYTES,
    BACKUP_VERIFIED_MS,
    DOCTOR_FINISHED_MS,
    DOCTOR_FAILURES,
)


async def note(store: Store, values: Mapping[str, int]) -> None:
    """Write numbers under names from NAMES; others stay. Raises StoreError."""
    ((newest,),) = await store.execute(
        "SELECT max(version) FROM meta WHERE name IN %(names)s", {"names": NAMES}
    )
    # The last write counts, even if the clock was set back in between.
    version = max(time.time_ns(), int(newest) + 1)
    await store.insert(
        "meta",
        {
            "name": list(values),
            "version": [version] * len(values),
            "value": [str(value) for value in values.values()],
        },
    )


async def load(store: Store) -> dict[str, int]:
    """Return what is known, by name. Raises StoreError."""
    rows = await store.execute(
        "SELECT name, argMax(value, version) FROM meta WHERE name IN %(names)s GROUP BY name",
        {"names": NAMES},
    )
    return {name: int(value) for name, value in rows}
