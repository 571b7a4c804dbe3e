"""Notices proxies that nobody told ingest to trust: all readers behind one look like one reader."""

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable

from services.ingest import metrics
from services.runtime.clock import Clock
from services.state.errors import StateError
from services.state.state import State
from services.state.untrusted_forwards import UntrustedForwards

_log = logging.getLogger(__name__)

WARN_SECONDS = 60.0
REMEMBERED_SECONDS = 600.0
_MAX_PEERS = 1000
"""Peers that are told apart; more are many."""

ADVICE = "all readers behind one of them count as one reader; if they are your proxies, add them"
SETTING = "LUOT_TRUSTED_PROXIES"


class UntrustedProxies:
    """Counts hits with X-Forwarded-For whose peer is not trusted, by site; says so.

    A peer may be a reader who made the header up, so its address is nowhere: peers are told apart
    by hashes under a key that changes every minute and stays in memory.
    """

    def __init__(
        self, state: State, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = UntrustedForwards(state)
        self._clock = clock
        self._monotonic = monotonic
        self._unshared: Counter[str] = Counter()
        self._key = secrets.token_bytes(16)
        self._peers: set[int] = set()
        self._hits = 0
        self._since = monotonic()
        self._last: tuple[str, float] | None = None

    def note(self, site: str, peer: str) -> None:
        """Count a hit of a site that came from this peer."""
        metrics.UNTRUSTED_FORWARDS.inc()
        self._unshared[site] += 1
        self._hits += 1
        if len(self._peers) < _MAX_PEERS:
            self._peers.add(hash((self._key, peer)))
        if self._last is None:
            self._warn()

    def look(self) -> None:
        """Say what was noticed since the last warning, not more than once a minute."""
        if self._hits and self._monotonic() >= self._since + WARN_SECONDS:
            self._warn()

    def _warn(self) -> None:
        many = len(self._peers)
        peers = f"{'over ' if many == _MAX_PEERS else ''}{many} peer{'s' if many > 1 else ''}"
        came = f"{self._hits} hit{'s' if self._hits > 1 else ''} came with X-Forwarded-For"
        said = f"{came} from {peers} not in {SETTING}: {ADVICE}"
        _log.warning("%s", said)
        now = self._monotonic()
        self._last = (said, now)
        self._hits, self._since = 0, now
        self._peers.clear()
        self._key = secrets.token_bytes(16)

    def problem(self) -> str | None:
        """Return what was said last, for a while; None when there was nothing."""
        if self._last is None:
            return None
        said, at = self._last
        ago = self._monotonic() - at
        if ago > REMEMBERED_SECONDS:
            self._last = None
            return None
        return f"{ago:.0f} s ago: {said}"

    async def share(self) -> None:
        """Tell the API, which shows it to who runs the site. Raises StateError."""
        if not self._unshared:
            return
        new, self._unshared = self._unshared, Counter()
        try:
            await self._shared.add(new, self._clock())
        except StateError:
            self._unshared += new
            raise
