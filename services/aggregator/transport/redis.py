"""The log on Redis Streams, and the Faust transport for it."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, cast

import msgspec
from redis.asyncio import Redis

from services.aggregator.transport import faust_transport
from services.aggregator.transport.broker import Broker
from services.log import keys
from services.log.redis import leases
from services.log.redis.errors import translated
from services.log.redis.memory_headroom import WRITES_WHEN_FULL, memory_headroom
from services.log.redis.positions import RedisPositions
from services.log.redis.reader import RedisReader
from services.log.redis.replicas import Replicas
from services.log.redis.short_form import ReadersOfShort, marked, plain
from services.model.partition import DEFAULT_PARTITIONS
from services.redis_client.client import connect

# A full Redis must not prevent the log from being read and trimmed.
_ACQUIRE = f"""{WRITES_WHEN_FULL}
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
# Positions exceed the 53 bits of Lua's numbers, so they are compared as strings.
_COMMIT = f"""{WRITES_WHEN_FULL}
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old or #old < #ARGV[2] or (#old == #ARGV[2] and old < ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
"""
_WORKERS = f"""{WRITES_WHEN_FULL}
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[4], '+inf')
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
_BURY = f"""{WRITES_WHEN_FULL}
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 2))
"""

_KEPT_ENTRIES = 10_000
FULL = 0.65
"""Redis memory usage above which the log is trimmed below its retention.

Lower than the share at which imports wait, so that they can resume."""
ROOMY = 0.6
"""Usage below which early trimming stops."""
ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 2.0
"""Timeout for an answer of Redis, and for connecting to it."""


class RedisBroker(Broker):
    """One group of readers of the streams of a topic; leases are keys that expire."""

    def __init__(
        self,
        url: str,
        group: str,
        topic: str = keys.TOPIC,
        partitions: int = DEFAULT_PARTITIONS,
        replicas: int = 0,
    ) -> None:
        # A machine that is gone does not even report that a connection is lost.
        self._redis: Redis = connect(
            url,
            protocol=2,
            health_check_interval=30,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
        )
        super().__init__(
            RedisReader(self._redis, partitions, Replicas(replicas), topic),
            RedisPositions(self._redis, group, partitions, topic),
        )
        self._readers_of_short = ReadersOfShort(self._redis)
        self._group = group
        self._topic = topic
        self._short = False

    async def commit(self, positions: Mapping[int, int]) -> set[int]:
        """See Broker."""
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for number, at in positions.items():
                    key = keys.commits(self._group, self._topic)
                    pipeline.eval(_COMMIT, 1, key, str(number), str(at))
                await pipeline.execute()
        return set(positions)

    async def shortage(self) -> str | None:
        """See Broker."""
        with translated():
            memory = await memory_headroom(self._redis)
        self._short = memory.share > (ROOMY if self._short else FULL)
        return str(memory) if self._short else None

    async def append(self, topic: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        """See Broker."""
        fields = [part for field in {**headers, "b": value}.items() for part in field]
        with translated():
            await self._redis.eval(_BURY, 1, topic, str(_KEPT_ENTRIES), *cast("Any", fields))

    async def workers(self, worker: str, ttl: float) -> list[str]:
        """See Broker."""
        key = keys.workers(self._group, self._topic)
        now = await self._reader.now()
        lives = int(ttl * 1000)
        # Workers last seen in the future were recorded by another master, whose clock was ahead.
        times = (str(at) for at in (now, now - lives, now + lives))
        with translated():
            alive: Any = await self._redis.eval(_WORKERS, 1, key, marked(worker), *times)
            names = sorted(name.decode() for name in alive)
            await self._readers_of_short.see(names, now)
        return list(map(plain, names))

    async def owners(self, partitions: Collection[int]) -> dict[int, str]:
        """See Broker."""
        order = list(partitions)
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for number in order:
                    pipeline.get(keys.owner(number, self._group, self._topic))
                values = await pipeline.execute()
        return {
            number: value.decode() for number, value in zip(order, values, strict=True) if value
        }

    async def renew(self, worker: str, partitions: Collection[int], ttl: float) -> set[int]:
        """See Broker."""
        return await self._each(leases.RENEW, partitions, worker, int(ttl * 1000))

    async def acquire(self, worker: str, partition: int, ttl: float) -> bool:
        """See Broker."""
        return bool(await self._each(_ACQUIRE, [partition], worker, int(ttl * 1000)))

    async def release(self, worker: str, partitions: Collection[int], *, leave: bool) -> None:
        """See Broker."""
        await self._each(leases.RELEASE, partitions, worker)
        if leave:
            with translated():
                await self._redis.zrem(keys.workers(self._group, self._topic), marked(worker))

    async def _each(self, script: str, partitions: Collection[int], *arguments: Any) -> set[int]:
        """Run a script on the lease of each partition; return those for which it returned 1."""
        if not partitions:
            return set()
        order = list(partitions)
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for number in order:
                    key = keys.owner(number, self._group, self._topic)
                    pipeline.eval(script, 1, key, *arguments)
                answers = await pipeline.execute()
        return {number for number, answer in zip(order, answers, strict=True) if answer == 1}

    async def close(self) -> None:
        """See Broker."""
        await self._redis.aclose()


class Transport(faust_transport.Transport):
    """Faust's transport for a log in Redis."""

    default_port: ClassVar[int] = 6379
    driver_version = f"luot-redis msgspec={msgspec.__version__}"

    def create_broker(self) -> Broker:
        """Return the log of the app."""
        app = self.app
        return RedisBroker(
            app.log_url,
            group=app.conf.id,
            partitions=app.partitions,
            replicas=app.redis_replicas,
        )
