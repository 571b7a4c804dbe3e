"""Learns whose spool this is, from the identity of the log that its hits are for."""

import logging

from services.ingest.spool.spool import Spool
from services.log.interface import Log
from services.runtime.outage import Outage

_log = logging.getLogger(__name__)


class SpoolIdentity:
    """Marks the spool with the identity of its log, as soon as that is known."""

    def __init__(self, log: Log, spool: Spool) -> None:
        self._of_log = log
        self._spool = spool
        self._mark = Outage(
            _log, "the spool cannot be marked as this log's", "the spool is marked as this log's"
        )

    async def learn(self) -> None:
        """Ask the log who it is. Raises LogError."""
        identity = await self._of_log.identity()
        if identity is not None:
            try:
                await self._spool.belong_to(identity)
            except OSError as error:
                self._mark.begins(error)
            else:
                self._mark.ends()
