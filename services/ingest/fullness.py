"""How full the log is, and who therefore gets no more room in it."""

from services.ingest.bot_room import BotRoom
from services.ingest.site_room import SiteRoom
from services.ingest.spool.spool import Spool
from services.log.interface import Log
from services.runtime.clock import Clock

FULL = 0.8
"""How full the log is when bots get no more room in it; it is trimmed from 0.65 on."""


class Fullness:
    """Knows how full the log is, and the spool that stands in for it."""

    def __init__(
        self, log: Log, spool: Spool, bots: BotRoom, sites: SiteRoom, clock: Clock
    ) -> None:
        self._log = log
        self._spool = spool
        self._bots = bots
        self._sites = sites
        self._clock = clock
        self._of_log = 0.0

    async def ask(self) -> None:
        """Ask the log. Raises LogError."""
        self._of_log = (await self._log.memory()).share
        self.look()

    def look(self) -> None:
        """Open or close the rooms according to what is known."""
        self._bots.closed = self._of_log > FULL
        self._sites.look(max(self._of_log, self._spool.fullness()), self._clock())
