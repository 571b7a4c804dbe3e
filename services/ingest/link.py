"""Whether hits go straight into the log now, or into the spool."""

import asyncio
import logging

_log = logging.getLogger(__name__)


class Link:
    """The way to Redis: cut by the first append that fails, mended when the spool is drained."""

    def __init__(self) -> None:
        self.fault: str | None = None
        """Why it is cut; None while it is not."""
        self.cut_off = asyncio.Event()

    @property
    def up(self) -> bool:
        """Whether hits go straight into the log."""
        return self.fault is None

    def cut(self, why: str) -> None:
        """Send all that comes to the spool."""
        if self.fault is None:
            _log.error("the log cannot be written: %s; hits go to the spool", why)
        self.fault = why
        self.cut_off.set()

    def mend(self) -> None:
        """Send what comes straight into the log: nothing that came before is elsewhere."""
        _log.warning("the log can be written again")
        self.fault = None
        self.cut_off.clear()
