"""The driver's logs as their writers see them, and workers that read them."""

import asyncio
import secrets
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import redis
from faust.contrib.asgi import faust_app_running
from faust.types import EventT, StreamT

from services.aggregator.faust_app import NOWHERE
from services.aggregator.transport import faust_settings, runs
from services.aggregator.transport.broker import Broker
from services.aggregator.transport.memory import MemoryBroker
from services.aggregator.transport.redis import RedisBroker
from services.log import keys
from services.log.memory.server import SERVERS, MemoryServer
from services.log.redis import entry_ids
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster

PARTITIONS = 2
LEASE_SECONDS = 1.5


class TestLog:
    """A log as its writers and its operator see it."""

    __test__ = False

    def __init__(self, url: str) -> None:
        self.url = url

    def append(self, partition: int, value: bytes) -> int:
        raise NotImplementedError

    def wipe(self, partition: int) -> None:
        raise NotImplementedError

    def steal(self, group: str, partition: int, ttl: float) -> None:
        """Take the lease of a partition away from whoever has it."""
        raise NotImplementedError

    def length(self, partition: int) -> int:
        raise NotImplementedError

    def topic(self, name: str) -> list[tuple[bytes, dict[str, bytes]]]:
        raise NotImplementedError

    def broker(self, group: str) -> Broker:
        raise NotImplementedError

    def time_ms(self, position: int) -> int:
        raise NotImplementedError


class MemoryLog(TestLog):
    def __init__(self) -> None:
        name = secrets.token_hex(4)
        super().__init__(f"memory://{name}")
        self.log = SERVERS[name] = MemoryServer()

    def append(self, partition: int, value: bytes) -> int:
        return self.log.append(partition, value, {"n": b"1"})

    def wipe(self, partition: int) -> None:
        self.log.wipe(partition)

    def steal(self, group: str, partition: int, ttl: float) -> None:
        self.log.leases[group, partition] = ("thief", self.log.clock() + int(ttl * 1000))

    def length(self, partition: int) -> int:
        return len(self.log.streams.get(partition, []))

    def topic(self, name: str) -> list[tuple[bytes, dict[str, bytes]]]:
        return self.log.topics.get(name, [])

    def broker(self, group: str) -> Broker:
        return MemoryBroker(self.log, group, PARTITIONS)

    def time_ms(self, position: int) -> int:
        (time_ms,) = [each.time_ms for each in self.log.records(0) if each.position == position]
        return time_ms


class RedisLog(TestLog):
    def __init__(self, server: RedisServer | RedisCluster) -> None:
        super().__init__(server.url() if isinstance(server, RedisCluster) else server.url)
        self.client: redis.Redis | redis.RedisCluster = server.client()
        self.client.flushall()

    def append(self, partition: int, value: bytes) -> int:
        entry_id = self.client.xadd(keys.stream(partition), {"n": b"1", "b": value})
        assert isinstance(entry_id, bytes)
        return entry_ids.of_entry(entry_id)

    def wipe(self, partition: int) -> None:
        self.client.delete(keys.stream(partition))

    def steal(self, group: str, partition: int, ttl: float) -> None:
        self.client.set(keys.owner(partition, group), "thief", px=int(ttl * 1000))

    def length(self, partition: int) -> int:
        length = self.client.xlen(keys.stream(partition))
        assert isinstance(length, int)
        return length

    def topic(self, name: str) -> list[tuple[bytes, dict[str, bytes]]]:
        entries: Any = self.client.xrange(name)
        return [
            (fields.pop(b"b"), {name.decode(): value for name, value in fields.items()})
            for _, fields in entries
        ]

    def broker(self, group: str) -> Broker:
        return RedisBroker(self.url, group)

    def time_ms(self, position: int) -> int:
        return entry_ids.time_ms(position)


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
        consumer = self.app.consumer
        if leave:
            await consumer.leave()
        await self._stack.aclose()
        await consumer.broker.close()

    def owned(self) -> set[int]:
        return {tp.partition for tp in self.app.consumer.assignment()}

    async def until(self, *values: bytes) -> None:
        await eventually(lambda: len(self.values) >= len(values))
        assert sorted(self.values) == sorted(values)


async def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.02)
