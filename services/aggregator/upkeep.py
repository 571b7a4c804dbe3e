"""What runs beside the fold: health, lag, drift, histories of paths, retention, identity."""

from collections.abc import Coroutine
from typing import Any

from services.aggregator import drift, erasing, lag, log_identity, log_room, metrics, retention
from services.aggregator.ownership import assigned
from services.aggregator.path_history import HistoryPublisher
from services.aggregator.settings import AggregatorSettings
from services.log.errors import LogError
from services.log.open import log_of
from services.log.uncounted import Uncounted
from services.runtime.contact import Contact
from services.store.interface import Store, StoreError

ANSWER_SECONDS = 2.0
"""How long the log may take to answer here."""


class Upkeep:
    """Maintains log and store, on its own connection, and sets their metrics."""

    def __init__(self, settings: AggregatorSettings, log_url: str, store: Store) -> None:
        self._log = log_of(settings, url=log_url, answer_seconds=ANSWER_SECONDS)
        self._histories = HistoryPublisher(store, settings.redis_url, settings.partitions)
        self._settings = settings
        self._store = store
        uncounted = Uncounted(self._log)
        self._log_contact = Contact("the log", uncounted.measure, (LogError,))
        self._store_contact = Contact("the store", store.ping, (StoreError,))
        metrics.partitions.set(settings.partitions)
        metrics.log_retention.set(settings.retention_seconds)
        metrics.log_up.set_function(self._log_contact.up)
        metrics.store_up.set_function(self._store_contact.up)
        metrics.uncounted_age.set_function(uncounted.age)

    def tasks(self, consumer: Any) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return the coroutines to run as long as the aggregator does, with Faust's consumer."""
        settings = self._settings
        return (
            lag.measure_forever(consumer),
            drift.watch_forever(
                self._store, settings.partitions, lambda: assigned(consumer), settings.drift_seconds
            ),
            self._histories.publish_forever(lambda: assigned(consumer)),
            retention.enforce_forever(self._store, settings.hits_days),
            erasing.delete_forever(self._store),
            log_room.measure_forever(self._log),
            self._log_contact.watch_forever(),
            self._store_contact.watch_forever(),
            log_identity.publish_forever(self._store, self._log),
        )

    async def log_now(self) -> int:
        """Return the time of the log in ms since 1970. Raises LogError."""
        return await self._log.reader.now()

    async def log_identity(self) -> str | None:
        """Return the log's identity; None until it is set. Raises LogError."""
        return await self._log.identity()

    def problem(self, unavailable: str | None) -> str | None:
        """Return what does not answer, and since when; and why the last flush failed, if it did."""
        problems = [self._log_contact.problem(), self._store_contact.problem()]
        if unavailable:
            problems.append(f"the store is unavailable: {unavailable}")
        return "; ".join(filter(None, problems)) or None

    async def close(self) -> None:
        """Close the connections."""
        await self._log.close()
        await self._histories.close()
