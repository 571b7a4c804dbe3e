"""Deletes what is kept of erased sites, and whatever arrives for them later.

Late hits come from the spool of an ingest that was cut off, or from a replay of the log. They are
counted like any others, and nobody reads them: no site gets the same name again.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

from services.model.kept_apart import site_of
from services.runtime.outage import Outage
from services.store.counts import erasures
from services.store.counts.erasures import Erasure, ErasureState
from services.store.interface import Store, StoreError

PERIOD_SECONDS = 2.0
LATE_SECONDS = 15.0
"""How often it looks for late arrivals."""

log = logging.getLogger(__name__)


async def delete_forever(store: Store) -> None:
    """Delete for as long as this runs."""
    outage = Outage(log, "what was erased cannot be deleted", "what was erased is deleted")
    looked = float("-inf")
    while True:
        is_due = time.monotonic() >= looked + LATE_SECONDS
        try:
            await delete(store, late=is_due)
        except StoreError as error:
            outage.begins(error)
        else:
            outage.ends()
            looked = time.monotonic() if is_due else looked
        await asyncio.sleep(PERIOD_SECONDS)


async def delete(store: Store, *, late: bool) -> None:
    """Delete everything erased that is not deleted yet; `late` also looks for what came since.

    Safe to kill at any point, and to run in several workers at once. Raises StoreError.
    """
    known = await erasures.load(store)
    if taken := [one for one in known if one.state == ErasureState.TAKEN]:
        await _delete(store, taken)
        for one in taken:
            log.info("all that was counted for %s as %s is erased", one.slug, one.name)
    done = [one for one in known if one.state == ErasureState.DONE]
    if late and (names := await erasures.held(store, [one.name for one in done])):
        await _delete(store, [one for one in done if one.name in names])
        log.info("hits that came late were erased: %s", ", ".join(sorted(names)))


async def _delete(store: Store, known: Sequence[Erasure]) -> None:
    """Delete all rows of these names; how far their counters reached is recorded first."""
    reached = {one.name: one for one in known}

    async def note(newest: Mapping[str, int]) -> None:
        for name, position in newest.items():
            # Each by its own name: that of downloads may be on another shard than that of views.
            one = reached.get(name) or reached[site_of(name)]._replace(name=name, position=0)
            reached[name] = one._replace(position=max(one.position, position))
        await erasures.write(store, list(reached.values()))

    await erasures.delete(store, [one.name for one in known], note)
    done = [one._replace(state=ErasureState.DONE) for one in reached.values()]
    await erasures.write(store, done)
