"""Keeps the log's identity in the store and in the log, for ingest to tell spools apart."""

import asyncio
import logging
import secrets

from services.log.errors import LogError
from services.log.interface import Log
from services.store.interface import Store, StoreError
from services.store.meta import log_identity

PERIOD_SECONDS = 5.0

_log = logging.getLogger(__name__)


async def publish_forever(store: Store, log: Log) -> None:
    """Publish now and then, so that a wiped log gets its identity back."""
    identity = None
    while True:
        try:
            identity = identity or await _agreed(store, log)
            known = await log.identity()
            if known != identity:
                if known is not None:
                    _log.warning("the log named itself %s; its store says %s", known, identity)
                await log.identify(identity)
        except (StoreError, LogError) as error:
            _log.debug("which log this is cannot be published now: %s", error)
        await asyncio.sleep(PERIOD_SECONDS)


async def _agreed(store: Store, log: Log) -> str:
    """Return the store's identity of the log; a store without one adopts the log's."""
    identity = await log_identity.load(store)
    if identity is None:
        proposed = await log.identity() or secrets.token_hex(8)
        identity = await log_identity.fix(store, proposed)
    return identity
