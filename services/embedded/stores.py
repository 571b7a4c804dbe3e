"""Opens the stores that a command works on."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from services.log.interface import Log
from services.log.open import log_of
from services.settings import StoreSettings
from services.state.state import State
from services.store.interface import Store
from services.store.open import open_whole

REDIS_SECONDS = 10.0


class Stores(NamedTuple):
    """The store, the log and the shared state."""

    store: Store
    log: Log
    state: State


@contextlib.asynccontextmanager
async def open_stores(settings: StoreSettings, data: Path | None) -> AsyncIterator[Stores]:
    """Open the stores of the settings, or those in the data folder of a `luot up` that is stopped.

    Raises UpError while that `luot up` is running.
    """
    async with contextlib.AsyncExitStack() as stack:
        if data is None:
            clickhouse_url, redis_url = settings.clickhouse_url.get_secret_value(), None
        else:
            clickhouse_url, redis_url = await _embedded(stack, data)
        store = open_whole(clickhouse_url)
        stack.push_async_callback(store.close)
        log = log_of(settings, url=redis_url or "", answer_seconds=REDIS_SECONDS)
        stack.push_async_callback(log.close)
        state = State.open(
            redis_url or settings.redis_url,
            protocol=2,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
        )
        stack.push_async_callback(state.close)
        if data is not None:
            # We hold the lock of the folder, so no owner of a partition is alive.
            await log.positions.disown()
        yield Stores(store, log, state)


async def _embedded(stack: contextlib.AsyncExitStack, data: Path) -> tuple[str, str]:
    from services.embedded.data_folder import DataFolder
    from services.embedded.valkey import EmbeddedValkey

    folder = stack.enter_context(DataFolder(data))
    valkey = EmbeddedValkey(folder.path / "valkey")
    stack.push_async_callback(valkey.stop)
    await valkey.start()
    return f"chdb://{quote(str(folder.path / 'clickhouse'))}", valkey.url
