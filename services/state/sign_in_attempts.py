"""Counts failed sign-ins for a while; names and addresses are stored only as hashes."""

import secrets
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from services.state import keys
from services.state.errors import translated
from services.state.state import EVEN_WHEN_FULL, State, reply

_SALT_SECONDS = 86_400

# All limits are checked before any is counted: a refused attempt counts for nobody, so guessing on
# after a refusal uses up nothing of somebody else's name.
_COUNT = (
    EVEN_WHEN_FULL
    + """
local wait = 0
for i, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then
        wait = math.max(wait, 1, redis.call('TTL', key))
    end
end
if wait > 0 then
    return wait
end
for i, key in ipairs(KEYS) do
    redis.call('INCR', key)
    redis.call('EXPIRE', key, ARGV[2 * i], 'NX')
end
return 0
"""
)

_TAKE_BACK = (
    EVEN_WHEN_FULL
    + """
for i, key in ipairs(KEYS) do
    if ARGV[i] == '1' then
        redis.call('DEL', key)
    elseif tonumber(redis.call('GET', key) or '0') > 0 then
        redis.call('DECR', key)
    end
end
"""
)

_SALT = (
    EVEN_WHEN_FULL
    + """
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2], 'NX')
return redis.call('GET', KEYS[1])
"""
)


class AttemptLimit(NamedTuple):
    """How many attempts of one subject may fail in a window, which begins with the first.

    kind     what the subject is: an address, a name, …
    subject  in full; it is stored as a hash
    """

    kind: str
    subject: str
    attempts: int
    seconds: int


class CountedAttempt(NamedTuple):
    """An attempt: either allowed and counted under `keys`, or it has to wait."""

    keys: Sequence[str]
    seconds_to_wait: int


class SignInAttempts:
    """One count per subject. All calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def count(self, limits: Sequence[AttemptLimit]) -> CountedAttempt:
        """Count an attempt for all subjects, or for none if one of them has had too many."""
        with translated():
            salt = await self._salt()
            counted = [keys.sign_ins(one.kind, _digest(salt, one.subject)) for one in limits]
            arguments = [str(part) for one in limits for part in (one.attempts, one.seconds)]
            evaluated = self._redis.eval(_COUNT, len(counted), *counted, *arguments)
            wait = int(await reply(evaluated))
        return CountedAttempt(counted, wait)

    async def take_back(self, counted: Sequence[str], forgotten: int) -> None:
        """Forget all attempts under the first few keys, and one attempt under the others."""
        flags = ["1" if place < forgotten else "0" for place in range(len(counted))]
        with translated():
            evaluated = self._redis.eval(_TAKE_BACK, len(counted), *counted, *flags)
            await reply(evaluated)

    async def _salt(self) -> bytes:
        arguments = (keys.SIGN_IN_SALT, secrets.token_hex(16), str(_SALT_SECONDS))
        salt: Any = await self._redis.eval(_SALT, 1, *arguments)
        return bytes(salt)


def _digest(salt: bytes, text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), key=salt, digest_size=16).hexdigest()
