"""Workers that read a log through the driver, as an aggregator does."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from faust.contrib.asgi import faust_app_running
from faust.types import EventT, StreamT

from services.aggregator.faust_app import NOWHERE
from services.aggregator.transport import faust_settings, runs
from services.aggregator.transport.broker import Broker
from services.aggregator.transport.kafka import KafkaBroker
from services.log import keys
from tests.contract.transport_logs import PARTITIONS

LEASE_SECONDS = 1.5


class Worker:
    """A Faust app that writes down what it reads, and acknowledges when it is told to."""

    def __init__(
        self,
        url: str,
        group: str,
        *,
        acknowledge: bool = True,
        replay_ms: int = 0,
        lease_seconds: float = LEASE_SECONDS,
        run_bytes: int = 0,
        request_seconds: float = 90.0,
        commit_every: int | None = None,
        kept_starts: faust_settings.KeptStarts | None = None,
    ):
        self.values: list[bytes] = []
        self.events: list[EventT] = []
        self.acknowledge = acknowledge
        self._stack = AsyncExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.app = faust_settings.App(
            group,
            broker=NOWHERE,
            datadir=Path(folder),
            topic_disable_leader=True,
            topic_allow_declare=False,
            web_enabled=False,
            stream_wait_empty=False,
            broker_commit_interval=3600.0,
            broker_request_timeout=request_seconds,
            broker_commit_every=commit_every,
        )
        self.app.log_url = url
        self.app.partitions = PARTITIONS
        self.app.lease_seconds = lease_seconds
        self.app.run_bytes = run_bytes
        self.app.replay_ms = replay_ms
        self.app.kept_starts = kept_starts
        topic = self.app.topic(keys.TOPIC, value_type=bytes, value_serializer="raw")
        self.app.agent(topic, name="read")(self._read)

    async def _read(self, stream: StreamT) -> None:
        async for event in stream.noack().events():
            self.events.append(event)
            self.values += [entry.value for entry in runs.entries(event.message)]
            if self.acknowledge:
                event.ack()

    async def start(self) -> "Worker":
        await self._stack.enter_async_context(faust_app_running(self.app))
        return self

    async def stop(self, *, leave: bool = True) -> None:
        """Stop; without `leave`, so that nobody is told, as one that is killed does."""
        consumer = self.app.consumer
        if leave:
            await consumer.leave()
        else:
            _keep_silent(consumer.broker)
        await self._stack.aclose()
        await consumer.broker.close()

    def owned(self) -> set[int]:
        return {tp.partition for tp in self.app.consumer.assignment()}

    async def until(self, *values: bytes) -> None:
        await eventually(lambda: len(self.values) >= len(values))
        assert sorted(self.values) == sorted(values)


def _keep_silent(broker: Broker) -> None:
    """Let a worker tell nobody that it ends; of Kafka's group, a client takes leave by itself."""

    async def say_nothing() -> None:
        """Leave it to the broker to notice."""

    if isinstance(broker, KafkaBroker):
        client: Any = broker._log.member._consumer
        client._coordinator._maybe_leave_group = say_nothing


async def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.02)
