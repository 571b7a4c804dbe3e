"""Operations on a log on Redis as a whole: sealing, leaving, and moving into it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from services.log import keys
from services.log.admin import Copy, KnownImport, KnownImports, LogAdmin, MoveMark
from services.log.errors import LogError
from services.log.import_names import SALT_SECONDS
from services.log.interface import REMEMBERED_SECONDS
from services.log.redis import entry_ids, raw_pipeline
from services.log.redis.errors import translated
from services.log.redis.memory_headroom import WRITES_WHEN_FULL
from services.log.redis.reader import clock_ms
from services.log.redis.replicas import Replicas
from services.redis_client.client import servers

_LAST = "18446744073709551615-18446744073709551615"
_CLOCK_SECONDS = 60
"""How far the clock of this server may be behind the previous log."""

# Having filled Redis may be the reason for the move.
_MARK = f"""{WRITES_WHEN_FULL}
return redis.call('SET', KEYS[1], ARGV[1])
"""
# After the greatest id XADD fails; what is in the stream can still be read and trimmed.
_SEAL = f"""{WRITES_WHEN_FULL}
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], ARGV[1], 'x', '')
  redis.call('XDEL', KEYS[1], ARGV[1])
else
  redis.call('XSETID', KEYS[1], ARGV[1])
end
"""
_UNSEAL = f"""{WRITES_WHEN_FULL}
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last then
  redis.call('XSETID', KEYS[1], last[1])
else
  redis.call('DEL', KEYS[1])
end
"""
# One entry, added and removed: readers see that the log does not reach to its beginning.
_CLEAR = f"""{WRITES_WHEN_FULL}
redis.call('DEL', KEYS[1])
redis.call('XDEL', KEYS[1], redis.call('XADD', KEYS[1], '*', 'x', ''))
"""


class RedisAdmin(LogAdmin):
    """See LogAdmin."""

    def __init__(
        self,
        redis: Redis,
        partitions: int,
        replicas: Replicas,
        fits: Callable[[], Awaitable[None]],
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._replicas = replicas
        self._fits = fits

    async def make(self) -> list[str]:
        """See LogAdmin. A stream is created by its first entry."""
        return []

    async def fits(self) -> None:
        """See LogAdmin."""
        await self._fits()

    async def mark(self) -> MoveMark | None:
        """See LogAdmin. Accounts from before this key existed may not read it."""
        with translated():
            try:
                noted = cast("bytes | None", await self._redis.get(keys.MOVE))
            except NoPermissionError:
                return None
        return None if noted is None else msgspec.json.decode(noted, type=MoveMark)

    async def set_mark(self, mark: MoveMark | None) -> None:
        """See LogAdmin."""
        with translated():
            if mark is None:
                await self._redis.delete(keys.MOVE)
            else:
                text = msgspec.json.encode(mark).decode()
                await self._redis.eval(_MARK, 1, keys.MOVE, text)

    async def seal(self) -> None:
        """See LogAdmin. An appending script has finished before this one, or finds no id."""
        await self._each(_SEAL, _LAST)

    async def unseal(self) -> None:
        """See LogAdmin."""
        await self._each(_UNSEAL)

    async def _each(self, script: str, *arguments: str) -> None:
        with translated():
            for number in range(self._partitions):
                await self._redis.eval(script, 1, keys.stream(number), *arguments)

    async def producers(self) -> set[str]:
        """See LogAdmin."""
        return {keys.parts(key)[1] async for key in self._keys(keys.PRODUCERS)}

    async def _keys(self, pattern: str) -> AsyncIterator[str]:
        with translated():
            for server in (await servers(self._redis)).values():
                async for key in server.scan_iter(pattern, count=1000):
                    yield key.decode()

    async def remember(self, producer_id: str, sequences: Mapping[int, int]) -> None:
        """See LogAdmin."""
        with translated():
            for number, sequence in sequences.items():
                key = keys.producer(number, producer_id)
                remembered = cast("bytes | None", await self._redis.get(key))
                await self._redis.set(
                    key, max(sequence, int(remembered or 0)), ex=REMEMBERED_SECONDS
                )

    async def imports(self) -> KnownImports:
        """See LogAdmin."""
        known: list[KnownImport] = []
        salts: dict[str, str] = {}
        with translated():
            async for key in self._keys(keys.IMPORTS):
                fields = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(key))
                left = await self._redis.ttl(key)
                if b"taken" in fields:
                    known.append(_known(key, fields, left if left >= 0 else None))
            async for key in self._keys(keys.IMPORT_SALTS):
                salt = cast("bytes | None", await self._redis.get(key))
                if salt is not None:
                    salts[keys.site_of_salt(key)] = salt.decode()
        return KnownImports(known, salts)

    async def take_imports(self, known: KnownImports) -> None:
        """See LogAdmin."""
        with translated():
            for each in known.imports:
                for number in range(self._partitions):
                    if each.partition in (None, number):
                        await self._take_import(keys.imported(number, each.key), each)
            for site, salt in known.salts.items():
                await self._redis.set(keys.import_salt(site), salt, ex=SALT_SECONDS)

    async def _take_import(self, key: str, known: KnownImport) -> None:
        fields: dict[str, str | int] = {"taken": known.taken, "hits": known.hits}
        if known.position is not None:
            fields["entry"] = entry_ids.to_entry(known.position)
        if known.salt:
            fields["salt"] = known.salt
        if known.sealed:
            fields["sealed"] = "1"
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(key)
            pipeline.hset(key, mapping=cast("Any", fields))
            if known.seconds is not None:
                pipeline.expire(key, max(1, known.seconds))
            await pipeline.execute()

    async def clear(self, after: int) -> None:
        """See LogAdmin. Positions are times: waits until this server's clock is late enough."""
        while (behind := entry_ids.time_ms(after) + 1 - await self._now_ms()) > 0:
            if behind > _CLOCK_SECONDS * 1000:
                raise LogError(
                    f"the clock of Redis is {behind / 1000:.0f} s behind the log that is moved;"
                    " keep all machines on time with NTP"
                )
            await asyncio.sleep(behind / 1000)
        await self._each(_CLEAR)

    async def _now_ms(self) -> int:
        with translated():
            return await clock_ms(self._redis)

    async def copy(self, partition: int, copies: Sequence[Copy]) -> int:
        """See LogAdmin. After a lost connection the move starts over, from an empty stream."""
        stream = keys.stream(partition)
        adding: list[raw_pipeline.Command] = []
        for each in copies:
            fields = [part for pair in {**each.headers, "b": each.value}.items() for part in pair]
            adding.append(("XADD", stream, "*", *fields))
        with translated():
            added = await self._replicas.send(self._redis, adding, once=True)
        return entry_ids.of_entry(added[-1]) + 1


def _known(key: str, fields: Mapping[bytes, bytes], seconds: int | None) -> KnownImport:
    partition, producer = keys.parts(key)
    entry = fields.get(b"entry")
    return KnownImport(
        key=producer,
        partition=partition,
        taken=int(fields[b"taken"]),
        hits=int(fields.get(b"hits", 0)),
        position=None if entry is None else entry_ids.of_entry(entry),
        salt=fields.get(b"salt", b"").decode(),
        sealed=b"sealed" in fields,
        seconds=seconds,
    )
