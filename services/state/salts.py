"""The salts of the current days, shared by all ingest processes."""

from typing import cast

from services.model.calendar import to_date
from services.state import keys
from services.state.errors import translated
from services.state.state import State

SALT_SECONDS = 48 * 3600


class SharedSalts:
    """One salt per site and day (counted from 1970, in its calendar); expires in SALT_SECONDS."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def agree(self, site: str, day: int, offered: bytes) -> bytes:
        """Return the salt of a day: the one offered here, unless another process was first.

        Raises StateError; even then, what was offered may have become the salt of the day.
        """
        key = keys.salt(site, to_date(day).isoformat())
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(key, offered, nx=True, ex=SALT_SECONDS)
                pipeline.get(key)
                return cast("bytes", (await pipeline.execute())[1])
