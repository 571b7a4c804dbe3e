"""The salts of the current days."""

import secrets

from services.enrich.visitor_hash import SALT_BYTES
from services.ingest.salt_memory import SaltMemory
from services.runtime.clock import DAY_MS, Clock
from services.state.salts import SharedSalts
from services.state.state import State


class Salts:
    """The salts of the current days: in memory and in shared state, never on ingest's disk.

    All ingest processes share them, so that a visitor is one visitor whichever process takes the
    hit. While Redis is down, the processes of one machine use the salt in its memory, or a new one,
    and offer it when Redis is back; if several machines do, the first offer wins. A visitor who was
    seen under another salt counts as a second visitor of that day: visits and visitors are then
    inexact, views are not.
    """

    def __init__(self, state: State, memory: SaltMemory, clock: Clock) -> None:
        self._shared = SharedSalts(state)
        self._memory = memory
        self._clock = clock
        self._salts: dict[tuple[str, int], bytes] = {}
        self._own: set[tuple[str, int]] = set()
        self._offers: dict[tuple[str, int], bytes] = {}

    def known(self, site: str, day: int) -> bytes | None:
        """Return a day's salt if it is in memory."""
        return self._salts.get((site, day))

    async def load(self, site: str, day: int) -> bytes:
        """Return a day's salt, made by whichever process asks first.

        Raises StateError.
        """
        # Redis may store it even if its reply is lost, so the offer must stay the same.
        offered = self._salts.get((site, day)) or self._offer(site, day)
        salt = await self._shared.agree(site, day, offered)
        self._salts[site, day] = salt
        self._own.discard((site, day))
        self._offers.pop((site, day), None)
        self._memory.put(site, day, salt)
        return salt

    def improvise(self, site: str, day: int) -> None:
        """Use the salt in this machine's memory, or a new one, unless the day has one."""
        if (site, day) not in self._salts:
            self._salts[site, day] = self._offer(site, day)
            self._own.add((site, day))

    def _offer(self, site: str, day: int) -> bytes:
        """Return the salt that this machine uses without Redis, always the same one."""
        offer = self._offers.get((site, day))
        if offer is None:
            new = secrets.token_bytes(SALT_BYTES)
            offer = self._offers[site, day] = self._memory.offer(site, day, new)
        return offer

    async def share(self) -> None:
        """Replace improvised salts with shared ones. Raises StateError."""
        for site, day in list(self._own):
            await self.load(site, day)

    def forget(self) -> None:
        """Forget the salts of days that are over everywhere on Earth."""
        oldest = self._clock() // DAY_MS - 1
        for key in [key for key in self._salts if key[1] < oldest]:
            del self._salts[key]
            self._own.discard(key)
            self._offers.pop(key, None)
        self._memory.forget(oldest)
