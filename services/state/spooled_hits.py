"""Hits that ingest has accepted and keeps in its spool: reported by each process, for doctor."""

from typing import NamedTuple

from services.state import keys
from services.state.errors import translated
from services.state.state import State, reply

BELIEVED_MS = 60_000
"""How long a report is believed: a process reports every few seconds."""
# Redis may be full exactly when hits are in spools; what is written here is small, and expires.
_TELL = """#!lua flags=allow-oom
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""


class Spooled(NamedTuple):
    """How many hits wait in spools, and how long the oldest has waited, in ms."""

    hits: int
    waits_ms: int


class SpooledHits:
    """What ingest processes have reported lately. All calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def tell(self, process: str, spooled: Spooled, at_ms: int) -> None:
        """Report the spool of one process; nothing is kept for an empty one."""
        with translated():
            if not spooled.hits:
                await reply(self._redis.hdel(keys.SPOOLED, process))
                return
            report = f"{at_ms} {spooled.hits} {spooled.waits_ms}"
            seconds = str(2 * BELIEVED_MS // 1000)
            await reply(self._redis.eval(_TELL, 1, keys.SPOOLED, process, report, seconds))

    async def read(self, at_ms: int) -> Spooled:
        """Return the sum over live processes, and the longest wait."""
        with translated():
            reports: dict[bytes, bytes] = await reply(self._redis.hgetall(keys.SPOOLED))
        hits = waits = 0
        for report in reports.values():
            reported_at, of_one, waits_ms = map(int, report.split())
            if at_ms - reported_at <= BELIEVED_MS:
                hits, waits = hits + of_one, max(waits, waits_ms)
        return Spooled(hits, waits)
