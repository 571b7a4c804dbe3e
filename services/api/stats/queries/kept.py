"""The statement that finds the first day whose raw hits are kept."""

from collections.abc import Sequence

from services.model.calendar import to_day
from services.store.interface import Store

_FIRST_KEPT = "SELECT count(), min(day) FROM hits WHERE site IN %(sites)s"


async def first_kept(store: Store, sites: Sequence[str]) -> int | None:
    """Return the first day with raw hits of any of the sites; None when there are none."""
    ((hits, day),) = await store.execute(_FIRST_KEPT, {"sites": list(sites)})
    return to_day(day) if hits else None
