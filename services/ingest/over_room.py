"""Hits of sites that take more than their share of a log that is nearly full."""

import time
from collections.abc import Callable

from services.ingest import metrics
from services.ingest.budgets import Ruling
from services.ingest.noticed import Noticed
from services.runtime.clock import Clock
from services.state.recent_hits import HitsOverRoom
from services.state.state import State


class OverRoom(Noticed):
    """Counts them, and warns: readers of a portal on its best day must not be lost silently."""

    def __init__(
        self, state: State, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(HitsOverRoom(state), clock, monotonic)

    def note(self, site: str) -> None:
        """Count a hit of a site that was refused."""
        metrics.OVER_BUDGET[Ruling.NO_ROOM].inc()
        self._count(site)

    def _take_message(self, hits: int) -> str:
        return (
            f"{hits} hits were refused, of sites that took most of a log that is nearly full, or"
            " more than LUOT_SITE_BYTES: luot doctor names them; if they are readers, give the"
            " log more room"
        )
