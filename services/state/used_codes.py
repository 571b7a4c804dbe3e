"""The last second-factor code that each user signed in with, so that none works twice."""

from services.state import keys
from services.state.errors import translated
from services.state.state import EVEN_WHEN_FULL, State, reply

KEPT_SECONDS = 600
"""Longer than any code is valid."""

_USE = (
    EVEN_WHEN_FULL
    + """
local last = redis.call('GET', KEYS[1])
if last and tonumber(last) >= tonumber(ARGV[1]) then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
)


class UsedCodes:
    """The time step of each user's last code (RFC 6238, section 5.2)."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def use(self, user: str, step: int) -> bool:
        """Use the code of a time step; True if neither it nor a later one was used before.

        Of two simultaneous requests with the same code, only one gets True. Raises StateError.
        """
        with translated():
            evaluated = self._redis.eval(
                _USE, 1, keys.code_step(user), str(step), str(KEPT_SECONDS)
            )
            return int(await reply(evaluated)) == 1

    async def forget(self, user: str) -> None:
        """Forget the last code, when the second factor is removed. Raises StateError."""
        with translated():
            await self._redis.delete(keys.code_step(user))
