"""Starting and stopping the clients of Kafka, of which neither may take long or leave anything."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.runtime.tasks import end

LEAVE_SECONDS = 1.0
"""How long to wait for requests in flight when a client is abandoned."""


async def start_client(client: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient) -> None:
    """Start a client; a start that is cancelled is given a moment to end by itself.

    The client has no hold of the connection that it begins with, and would leave it open.
    """
    task = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=LEAVE_SECONDS)
        await end(task)
        raise


async def stop_reading(consumer: AIOKafkaConsumer) -> None:
    """Close a consumer.

    Its fetcher swallows a cancellation that arrives while it drops an earlier assignment, and would
    be waited for forever.
    """
    try:
        await stopped(consumer.stop())
    finally:
        # One that was cut short leaves connections open.
        await stopped(consumer._client.close())  # noqa: SLF001


async def stop_now(producer: AIOKafkaProducer) -> None:
    """Close a producer without waiting for brokers to accept what it still has.

    What was not sent is never sent: its futures stay pending, for the caller to cancel.
    """
    # Otherwise it would try to send that first, for as long as a request may take.
    await stopped(producer._sender.close())  # noqa: SLF001
    await stopped(producer.stop())
    await stopped(producer.client.close())
    _hear_failures(producer)


def _hear_failures(producer: AIOKafkaProducer) -> None:
    """Retrieve a producer's remaining exceptions after a failure that its user already knows of.

    asyncio would log each as never retrieved.
    """
    transaction = getattr(producer._txn_manager, "_transaction_waiter", None)  # noqa: SLF001
    batches = producer._message_accumulator._batches.values()  # noqa: SLF001
    drained = [batch._drain_waiter for each in batches for batch in each]  # noqa: SLF001
    for future in [transaction, *drained]:
        if future is not None and future.done() and not future.cancelled():
            future.exception()


async def stopped(stopping: Coroutine[Any, Any, None]) -> None:
    """Wait for a client to close, but not for long; a lost cancellation is repeated."""
    task = asyncio.ensure_future(stopping)
    try:
        await asyncio.wait({task}, timeout=LEAVE_SECONDS)
    finally:
        await end(task)
    with suppress(KafkaError, OSError, asyncio.CancelledError):
        task.result()
