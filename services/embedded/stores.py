"""Opens the stores that a command works on."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from redis.asyncio import Redis

from services.log import keys
from services.runtime.redis_client import connect
from services.settings import StoreSettings
from services.store.interface import Store
from services.store.open import open_store

REDIS_SECONDS = 10.0


class Stores(NamedTuple):
    """The store and the log."""

    store: Store
    redis: Redis


@contextlib.asynccontextmanager
async def open_stores(settings: StoreSettings, data: Path | None) -> AsyncIterator[Stores]:
    """Open the stores of the settings, or those in the data folder of a `luot up` that is stopped.

    Raises UpError while it runs.
    """
    async with contextlib.AsyncExitStack() as stack:
        if data is None:
            clickhouse_url, redis_url = settings.clickhouse_url.get_secret_value(), None
        else:
            clickhouse_url, redis_url = await _embedded(stack, data, settings)
        store = open_store(clickhouse_url)
        stack.push_async_callback(store.close)
        redis = connect(
            redis_url or settings.redis_url,
            protocol=2,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
        )
        stack.push_async_callback(redis.aclose)
        yield Stores(store, redis)


async def _embedded(
    stack: contextlib.AsyncExitStack, data: Path, settings: StoreSettings
) -> tuple[str, str]:
    from services.embedded.data_folder import DataFolder
    from services.embedded.valkey import EmbeddedValkey

    folder = stack.enter_context(DataFolder(data))
    valkey = EmbeddedValkey(folder.path / "valkey")
    stack.push_async_callback(valkey.stop)
    await valkey.start()
    async with connect(valkey.url) as redis:
        # The folder is ours alone, so whoever held a partition is gone.
        names = [keys.owner(number, settings.group) for number in range(settings.partitions)]
        await redis.delete(*names)
    return f"chdb://{quote(str(folder.path / 'clickhouse'))}", valkey.url
