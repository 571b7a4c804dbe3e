"""Faust's producer over a Broker, for dead letters."""

import asyncio
from collections.abc import Mapping
from typing import Any

from faust.transport import producer
from faust.types import TP
from faust.types.tuples import RecordMetadata


class Producer(producer.Producer):
    """Appends to topics of one stream, such as that of dead letters."""

    def supports_headers(self) -> bool:
        """Headers become fields of the entry."""
        return True

    async def send(self, *args: Any, **kwargs: Any) -> asyncio.Future[RecordMetadata]:
        """Append one entry; it is in the log when this returns, so the future is done."""
        done: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        done.set_result(await self.send_and_wait(*args, **kwargs))
        return done

    async def send_and_wait(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
        *,
        transactional_id: str | None = None,
    ) -> RecordMetadata:
        """Append one entry; it is in the log when this returns."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        await self.transport.broker.append(topic, value or b"", dict(pairs))
        return RecordMetadata(topic, 0, TP(topic, 0), 0)

    async def flush(self) -> None:
        """Flush Faust's own buffer."""
        await self.buffer.flush()

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """Streams are created by their first entry."""

    def key_partition(self, topic: str, key: bytes) -> TP:
        """A topic written here has one stream."""
        return TP(topic, 0)
