"""The log on Redis Streams."""

import re
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthorizationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from services.log import keys
from services.log.admin import refuse_moved
from services.log.errors import LogError, LogRefusedError
from services.log.interface import Log, LogProducer
from services.log.moved import moved_check
from services.log.redis.admin import RedisAdmin
from services.log.redis.cluster_checks import cluster, merged
from services.log.redis.errors import translated
from services.log.redis.imports import RedisImportLog
from services.log.redis.memory_headroom import memory_headroom
from services.log.redis.positions import RedisPositions
from services.log.redis.producer import RedisProducer
from services.log.redis.reader import RedisReader
from services.log.redis.replicas import Replicas
from services.log.redis.replication import replication
from services.log.redis.short_form import ShortForm
from services.log.server_check import ServerCheck
from services.log.server_memory import LogMemory
from services.log.texts import LogTexts
from services.redis_client.client import connect, reason_of, servers
from services.redis_client.routing import RoutedRedis

CONNECT_SECONDS = 1.0
_PLUS_CLUSTER = "write redis+cluster:// in place of redis:// (rediss+cluster:// for TLS)"
_START = "start it, or see why no replica has taken its place"
FULL = 0.7
"""Memory usage above which a Redis that does not evict is close to refusing hits."""


class RedisLog(Log):
    """A log at `redis://`, `rediss://` or `unix://`, found through Sentinels, or on a cluster."""

    server_name = "Redis"
    texts = LogTexts(
        unreachable="start it, or set LUOT_REDIS_URL; hits wait in the spool of ingest meanwhile",
        crowded="if these are real readers, give Redis more memory (maxmemory); if it is a flood,"
        " take back what was counted (luot correct)",
        dead_entries=f"`XRANGE {keys.DEAD} - +` shows why (field reason); save the entries, then"
        " delete the stream",
        nothing_to_create="Nothing needs to be created in Redis: a stream begins with its first"
        " hit.",
    )

    def __init__(self, url: str, *, partitions: int, group: str, answer_seconds: float) -> None:
        super().__init__(url, partitions=partitions, group=group, answer_seconds=answer_seconds)
        # After a restart of Redis, pooled connections are dead: one immediate retry.
        self._redis = self._client(retries=1, answer_seconds=answer_seconds)
        self._replicas = Replicas()
        self._short = ShortForm(self._redis)
        self.reader = RedisReader(self._redis, partitions, self._replicas)
        self.positions = RedisPositions(self._redis, group, partitions, replicas=self._replicas)
        self.imports = RedisImportLog(
            self._redis, partitions, self._replicas, self.reader, self.positions
        )
        self.admin = RedisAdmin(self._redis, partitions, self._replicas, self._fits)

    def require_replicas(self, number: int) -> None:
        """See Log."""
        self._replicas.needed = number

    def _client(self, *, retries: int, answer_seconds: float | None, alone: bool = False) -> Redis:
        return connect(
            self.url,
            protocol=2,
            single_connection_client=alone,
            socket_timeout=answer_seconds,
            socket_connect_timeout=min(CONNECT_SECONDS, self.answer_seconds),
            retry=Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
        )

    def producer(self, answer_seconds: float | None = None) -> LogProducer:
        """See Log."""
        if answer_seconds is None:
            client = self._client(retries=0, answer_seconds=None, alone=True)
        else:
            client = self._client(retries=1, answer_seconds=answer_seconds)
        return RedisProducer(client, self.partitions, self._replicas, self._short)

    async def create(self) -> None:
        """See Log."""
        with translated():
            await self._redis.set(keys.PARTITIONS, self.partitions, nx=True)

    async def created_with(self) -> int | None:
        """See Log."""
        with translated():
            number = cast("bytes | None", await self._redis.get(keys.PARTITIONS))
        return None if number is None else int(number)

    async def check(self, *, unsafe_eviction: bool) -> None:
        """See Log."""
        refuse_moved(await self.admin.mark())
        await self._fits(unsafe_eviction=unsafe_eviction)
        await self._short.ask()

    async def _fits(self, *, unsafe_eviction: bool = False) -> None:
        if not unsafe_eviction:
            with translated():
                await self._check_eviction()
        await self.create()
        with translated():
            number = cast("bytes", await self._redis.get(keys.PARTITIONS))
        if number != str(self.partitions).encode():
            shown = number.decode(errors="replace")
            raise LogRefusedError(
                f"LUOT_PARTITIONS={self.partitions}: this Redis holds a log of {shown} partitions;"
                f" expected {shown}, the number is fixed when the log is created"
            )

    async def _check_eviction(self) -> None:
        """allkeys-* evicts streams; volatile-* evicts the sequences that make retries safe."""
        for server in (await servers(self._redis)).values():
            try:
                memory = await server.info("memory")
            except (AuthorizationError, ResponseError) as error:
                raise LogRefusedError(
                    f"Redis does not tell its maxmemory-policy ({error}); allow the command INFO,"
                    " or set LUOT_UNSAFE_EVICTION=true if it is 'noeviction'"
                ) from error
            policy = str(memory.get("maxmemory_policy", ""))
            if re.match("allkeys-|volatile-", policy):
                raise LogRefusedError(
                    f"Redis has maxmemory-policy {policy!r} and may evict hits that were accepted;"
                    " expected 'noeviction' (or set LUOT_UNSAFE_EVICTION=true to take the loss)"
                )

    async def identity(self) -> str | None:
        """See Log."""
        with translated():
            value = cast("bytes | None", await self._redis.get(keys.IDENTITY))
        return None if value is None else value.decode(errors="replace")

    async def identify(self, identity: str) -> None:
        """See Log."""
        with translated():
            await self._redis.set(keys.IDENTITY, identity)

    async def examine(self) -> list[ServerCheck]:
        """See Log."""
        if isinstance(self._redis, RoutedRedis):
            return await self._examine_cluster(self._redis)
        with translated():
            info = await self._redis.info()
        if info.get("cluster_enabled"):
            return [ServerCheck("Redis", False, "is one of a Redis Cluster", _PLUS_CLUSTER)]
        left = moved_check(await self.admin.mark())
        return [*await self._of_server(self._redis, info), *left]

    async def _examine_cluster(self, redis: RoutedRedis) -> list[ServerCheck]:
        by_master: dict[str, list[ServerCheck]] = {}
        silent: list[ServerCheck] = []
        with translated():
            for name, master in (await redis.masters()).items():
                try:
                    by_master[name] = await self._of_server(master, await master.info())
                except RedisConnectionError as error:
                    lost = f"{name} does not answer: {reason_of(error)}"
                    silent.append(ServerCheck("master", False, lost, _START))
            checks = [*merged(by_master), *silent, *await cluster(redis, self.partitions)]
        try:
            return [*checks, *moved_check(await self.admin.mark())]
        except LogError as error:
            return [*checks, ServerCheck("moved", None, f"could not be checked: {error}")]

    async def _of_server(self, redis: Redis, info: dict[str, Any]) -> list[ServerCheck]:
        copies = replication(info, self._replicas.needed)
        return [*_server(info), await _fsync(redis), *copies]

    async def memory(self) -> LogMemory:
        """See Log."""
        with translated():
            return await memory_headroom(self._redis)

    async def dead_entries(self) -> int:
        """See Log."""
        with translated():
            return int(await self._redis.xlen(keys.DEAD))

    async def close(self) -> None:
        """See Log."""
        await self._short.close()
        await self._redis.aclose()


async def _fsync(redis: Redis) -> ServerCheck:
    try:
        with translated():
            settings = cast("dict[str, str]", await redis.config_get("appendfsync"))
    except LogError as error:
        return ServerCheck("fsync", None, f"could not be checked: {error}")
    policy = settings.get("appendfsync", "unknown")
    return ServerCheck(
        "fsync",
        policy == "always",
        f"appendfsync {policy}",
        "set appendfsync always: with everysec a power cut takes the last second of hits",
    )


def _server(info: dict[str, Any]) -> list[ServerCheck]:
    name = info.get("server_name", "redis")
    version = info.get("valkey_version") or info.get("redis_version", "of unknown version")
    policy = str(info.get("maxmemory_policy"))
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    return [
        ServerCheck("Redis", True, f"{name} {version}"),
        ServerCheck(
            "eviction",
            policy == "noeviction",
            f"maxmemory-policy {policy}",
            "set maxmemory-policy noeviction: any other policy throws away hits that were accepted",
        ),
        ServerCheck(
            "append-only file",
            bool(info.get("aof_enabled")) and info.get("aof_last_write_status", "ok") == "ok",
            f"enabled {info.get('aof_enabled')}, last write {info.get('aof_last_write_status')}",
            "set appendonly yes, and see that its disk has room: without it a restart loses hits",
        ),
        ServerCheck(
            "memory",
            not limit or used < FULL * limit,
            f"{used >> 20} MiB used of {limit >> 20} MiB"
            if limit
            else f"{used >> 20} MiB used of no limit",
            "raise maxmemory or lower LUOT_RETENTION_SECONDS: a full Redis refuses hits",
        ),
    ]
