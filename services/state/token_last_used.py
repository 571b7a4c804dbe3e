"""When tokens were last used."""

from services.state import keys
from services.state.errors import translated
from services.state.state import State, reply


class TokenTimes:
    """One time per token, by its id, in ms since 1970. All calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def write(self, token: str, at_ms: int) -> None:
        """Write when a token was used."""
        with translated():
            await reply(self._redis.hset(keys.TOKENS_USED, token, str(at_ms)))

    async def read(self) -> dict[str, int]:
        """Return when each token was last used; one that never was is left out."""
        with translated():
            rows: dict[bytes, bytes] = await reply(self._redis.hgetall(keys.TOKENS_USED))
        return {token.decode(): int(at) for token, at in rows.items() if at.isdigit()}

    async def remove(self, token: str) -> None:
        """Forget a token."""
        with translated():
            await reply(self._redis.hdel(keys.TOKENS_USED, token))
