"""Hits from addresses that are over their budget."""

import time
from collections.abc import Callable

from services.ingest import metrics
from services.ingest.budgets import Ruling
from services.ingest.noticed import Noticed
from services.runtime.clock import Clock
from services.state.recent_hits import HitsOverBudget
from services.state.state import State

ADVICE = (
    "if these are readers behind one proxy or gateway, name it in LUOT_TRUSTED_PROXIES or raise"
    " LUOT_ADDRESS_HITS, LUOT_ADDRESS_BYTES and LUOT_ADDRESS_VISITORS"
)


class OverBudget(Noticed):
    """Counts them by what became of them; warns, except of bots, which are never counted anyway."""

    def __init__(
        self, state: State, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(HitsOverBudget(state), clock, monotonic)
        self._refused = 0

    def note(self, site: str, ruling: Ruling) -> None:
        """Count a hit of a site."""
        metrics.OVER_BUDGET[ruling].inc()
        if ruling is Ruling.NOT_WRITTEN:
            return
        self._refused += ruling is Ruling.REFUSED
        self._count(site)

    def _take_message(self, hits: int) -> str:
        refused, self._refused = self._refused, 0
        return (
            f"of addresses that send too much, {refused} hits were refused and {hits - refused}"
            f" views are of no visit: {ADVICE}"
        )
