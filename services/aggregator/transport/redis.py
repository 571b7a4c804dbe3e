"""The log on Redis Streams, and the Faust transport for `redis://`."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.aggregator.transport import driver
from services.aggregator.transport.broker import Broker, Progress, Record, earlier
from services.log import keys
from services.log.room import WRITES_WHEN_FULL, room
from services.model import position
from services.runtime.redis_client import connect

# A full Redis must not keep anybody from reading the log and making it shorter.
_RENEW = f"""{WRITES_WHEN_FULL}
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
"""
_ACQUIRE = f"""{WRITES_WHEN_FULL}
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE = f"""{WRITES_WHEN_FULL}
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""
# Positions exceed the 53 bits of Lua's numbers: compared as texts of one length.
_COMMIT = f"""{WRITES_WHEN_FULL}
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old or #old < #ARGV[2] or (#old == #ARGV[2] and old < ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
"""
_WORKERS = f"""{WRITES_WHEN_FULL}
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
_BURY = f"""{WRITES_WHEN_FULL}
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 2))
"""

_PAYLOAD = b"b"
_KEPT_ENTRIES = 10_000
_TRIMMED_ENTRIES = 100_000
"""At a time, which keeps Redis busy for some milliseconds."""
FULL = 0.65
"""Share of Redis's memory from which on the log becomes shorter than its retention.

Below what an import waits for, so that it goes on."""
ROOMY = 0.6
"""Share from which on it does not any longer."""


def to_id(at: int) -> str:
    """Return the entry id of a position."""
    return f"{position.time_ms(at)}-{position.sequence(at)}"


class RedisBroker(Broker):
    """One group of readers of the streams of a topic.

    Plain XREAD from a position of our own: a consumer group costs 84 bytes an entry and 40% of
    the read speed, and with one owner a partition nobody needs it.
    """

    unavailable = (RedisError, OSError)

    def __init__(self, url: str, group: str, topic: str = keys.TOPIC) -> None:
        self._redis: Redis = connect(url, protocol=2, health_check_interval=30)
        self._group = group
        self._topic = topic
        self._short = False

    def _stream(self, partition: int) -> str:
        return keys.stream(partition, self._topic)

    async def read(
        self, positions: Mapping[int, int], wait: float, limit: int
    ) -> dict[int, Sequence[Record]]:
        """See Broker."""
        if not positions:
            await asyncio.sleep(wait)
            return {}
        partitions = {self._stream(number).encode(): number for number in positions}
        after = {self._stream(number): to_id(max(at - 1, 0)) for number, at in positions.items()}
        answer: Any = await self._redis.xread(
            cast("Any", after), count=limit, block=max(1, int(wait * 1000))
        )
        return {
            partitions[stream]: [_record(partitions[stream], *entry) for entry in entries]
            for stream, entries in answer
        }

    async def committed(self, partitions: Collection[int]) -> dict[int, int]:
        """See Broker."""
        if not partitions:
            return {}
        order = list(partitions)
        values = await self._redis.hmget(
            keys.commits(self._group, self._topic), [str(number) for number in order]
        )
        return {number: int(value) for number, value in zip(order, values, strict=True) if value}

    async def commit(self, positions: Mapping[int, int]) -> None:
        """See Broker."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for number, at in positions.items():
                key = keys.commits(self._group, self._topic)
                pipeline.eval(_COMMIT, 1, key, str(number), str(at))
            await pipeline.execute()

    def rewind(self, position: int, ms: int) -> int:
        """See Broker."""
        return max(0, position - (ms << 20))

    async def trim(
        self, position: int, partition: int, retention_ms: int, *, early: bool = False
    ) -> None:
        """See Broker."""
        stream = self._stream(partition)
        now = await self._now_ms()
        oldest = min(position, (now - retention_ms) << 20)
        ends = [oldest]
        if early and (first := cast("Any", await self._redis.xrange(stream, count=1))):
            ends = [max(oldest, end) for end in earlier(_position(first[0]), position)]
        for end in ends:
            # Redis drops whole nodes: one that reaches further keeps its entries.
            if end > 0 and await self._redis.xtrim(
                stream, minid=to_id(end), approximate=True, limit=_TRIMMED_ENTRIES
            ):
                break

    async def shortage(self) -> str | None:
        """See Broker."""
        memory = await room(self._redis)
        self._short = memory.share > (ROOMY if self._short else FULL)
        return str(memory) if self._short else None

    async def progress(self, partitions: Mapping[int, int]) -> dict[int, Progress]:
        """See Broker."""
        now = await self._now_ms()
        result = {}
        for number, at in partitions.items():
            stream = self._stream(number)
            next_entry = cast("Any", await self._redis.xrange(stream, min=to_id(at), count=1))
            if not next_entry:
                result[number] = Progress(0, None, now)
                continue
            info = cast("Any", await self._redis.xinfo_stream(stream))
            first, last = (
                position.of_entry(info[name][0]) for name in ("first-entry", "last-entry")
            )
            # Redis cannot count a range without sending it; the span of time tells it well enough.
            share = 1.0 if at <= first else (last - at) / (last - first + 1)
            entries = max(1, round(info["length"] * share))
            result[number] = Progress(
                entries, position.time_ms(position.of_entry(next_entry[0][0])), now
            )
        return result

    async def end(self, partition: int) -> int:
        """See Broker."""
        last = await self._redis.xrevrange(self._stream(partition), count=1)
        return position.of_entry(cast("Any", last)[0][0]) + 1 if last else 0

    async def append(self, topic: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        """See Broker."""
        fields = [part for field in {**headers, "b": value}.items() for part in field]
        await self._redis.eval(_BURY, 1, topic, str(_KEPT_ENTRIES), *cast("Any", fields))

    async def workers(self, worker: str, ttl: float) -> list[str]:
        """See Broker."""
        key = keys.workers(self._group, self._topic)
        now = await self._now_ms()
        gone = now - int(ttl * 1000)
        alive: Any = await self._redis.eval(_WORKERS, 1, key, worker, str(now), str(gone))
        return sorted(name.decode() for name in alive)

    async def owners(self, partitions: Collection[int]) -> dict[int, str]:
        """See Broker."""
        order = list(partitions)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for number in order:
                pipeline.get(keys.owner(number, self._group, self._topic))
            values = await pipeline.execute()
        return {
            number: value.decode() for number, value in zip(order, values, strict=True) if value
        }

    async def renew(self, worker: str, partitions: Collection[int], ttl: float) -> set[int]:
        """See Broker."""
        return await self._each(_RENEW, partitions, worker, int(ttl * 1000))

    async def acquire(self, worker: str, partition: int, ttl: float) -> bool:
        """See Broker."""
        return bool(await self._each(_ACQUIRE, [partition], worker, int(ttl * 1000)))

    async def release(self, worker: str, partitions: Collection[int], *, leave: bool) -> None:
        """See Broker."""
        await self._each(_RELEASE, partitions, worker)
        if leave:
            await self._redis.zrem(keys.workers(self._group, self._topic), worker)

    async def _each(self, script: str, partitions: Collection[int], *arguments: Any) -> set[int]:
        """Run a script on the lease of each partition; return those for which it said 1."""
        if not partitions:
            return set()
        order = list(partitions)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for number in order:
                pipeline.eval(script, 1, keys.owner(number, self._group, self._topic), *arguments)
            answers = await pipeline.execute()
        return {number for number, answer in zip(order, answers, strict=True) if answer == 1}

    async def _now_ms(self) -> int:
        seconds, micros = await self._redis.time()
        return seconds * 1000 + micros // 1000

    async def close(self) -> None:
        """See Broker."""
        await self._redis.aclose()


def _position(entry: tuple[bytes, Any]) -> int:
    return position.of_entry(entry[0])


def _record(partition: int, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Record:
    at = position.of_entry(entry_id)
    headers = {name.decode(): value for name, value in fields.items() if name != _PAYLOAD}
    return Record(partition, at, position.time_ms(at), fields.get(_PAYLOAD, b""), headers)


class Transport(driver.Transport):
    """Faust's transport for `redis://host:port/db`."""

    default_port: ClassVar[int] = 6379
    driver_version = f"luot-redis msgspec={msgspec.__version__}"

    def create_broker(self) -> Broker:
        """Return the log at the transport's URL."""
        return RedisBroker(str(self.url[0]), group=self.app.conf.id)
