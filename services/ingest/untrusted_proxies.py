"""Proxies that ingest was not told to trust: all readers behind one look like one reader."""

import secrets
import time
from collections.abc import Callable

from services.ingest import metrics
from services.ingest.noticed import Noticed
from services.runtime.clock import Clock
from services.state.recent_hits import UntrustedForwards
from services.state.state import State

_MAX_PEERS = 1000
"""How many peers are told apart; above that, they are reported as 'over' this many."""

ADVICE = "all readers behind one of them count as one reader; if they are your proxies, add them"
SETTING = "LUOT_TRUSTED_PROXIES"


class UntrustedProxies(Noticed):
    """Counts hits with X-Forwarded-For whose peer is not trusted, by site, and warns of them.

    A peer may be a reader who made the header up, so its address is stored nowhere: peers are told
    apart by hashes under a key that changes at every warning and stays in memory.
    """

    def __init__(
        self, state: State, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(UntrustedForwards(state), clock, monotonic)
        self._key = secrets.token_bytes(16)
        self._peers: set[int] = set()

    def note(self, site: str, peer: str) -> None:
        """Count a hit of a site that came from this peer."""
        metrics.UNTRUSTED_FORWARDS.inc()
        if len(self._peers) < _MAX_PEERS:
            self._peers.add(hash((self._key, peer)))
        self._count(site)

    def _take_message(self, hits: int) -> str:
        many = len(self._peers)
        peers = f"{'over ' if many == _MAX_PEERS else ''}{many} peer{'s' if many > 1 else ''}"
        came = f"{hits} hit{'s' if hits > 1 else ''} came with X-Forwarded-For"
        self._peers.clear()
        self._key = secrets.token_bytes(16)
        return f"{came} from {peers} not in {SETTING}: {ADVICE}"
