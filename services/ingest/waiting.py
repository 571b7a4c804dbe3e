"""How long hits that were accepted have been waiting to be counted."""

import math

from services.ingest.spool.spool import Spool
from services.log.uncounted import Uncounted

LATE_SECONDS = 60.0
"""How long an accepted hit may wait to be counted before that is reported."""


class WaitingHits:
    """Hits in the log and in the spool that are not in the counters yet."""

    def __init__(self, uncounted: Uncounted, spool: Spool) -> None:
        self._uncounted = uncounted
        self._spool = spool

    def age(self) -> float:
        """Return the age of the oldest in seconds; NaN when that is not known."""
        in_log, in_spool = self._uncounted.age(), self._spool.age()
        if math.isnan(in_log):
            return in_spool or in_log
        return max(in_log, in_spool)

    def problem(self) -> str | None:
        """Return what an operator should know about them, or None."""
        age = self.age()
        if not age > LATE_SECONDS:
            return None
        return f"hits are accepted and not counted: the oldest waits for {age:.0f} s"
