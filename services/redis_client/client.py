"""Clients of Redis that raise a Redis error whenever a connection is lost."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, ReadOnlyError, RedisError, ResponseError

from services.model.cluster_address import is_cluster_url
from services.model.sentinel_address import is_sentinel_url
from services.redis_client.routing import RoutedRedis

_OF_A_REPLICA = "WAIT cannot be used with replica instances"
_OF_A_CLUSTER = (
    "this server is one of a Redis Cluster, and has only some of the keys; write redis+cluster://"
    " (or rediss+cluster://) in the URL"
)


def connect(url: str, **options: Any) -> Redis:
    """Return a client, not yet connected; `options` are those of Redis.from_url.

    Each new connection resolves the host of the URL again, or asks the Sentinels of the URL for the
    master; a client of a cluster is a RoutedRedis. Raises ValueError for an unusable URL.
    """
    if is_sentinel_url(url):
        # Few use Sentinels, so that their code is loaded on demand.
        from services.redis_client.sentinel import master_pool

        alone = options.pop("single_connection_client", False)
        client = Redis(connection_pool=master_pool(url, **options), single_connection_client=alone)
        client.auto_close_connection_pool = True
    elif is_cluster_url(url):
        from services.redis_client.cluster import ClusterRedis

        # It keeps one connection to each master anyway.
        options.pop("single_connection_client", None)
        return ClusterRedis(url, connect, options)
    else:
        client = Redis.from_url(url, **options)
    pool = client.connection_pool
    pool.connection_class = _translating(pool.connection_class)
    return client


async def servers(redis: Redis) -> Mapping[str, Redis]:
    """Return a client of each server that takes writes, by its name. Raises RedisError."""
    return await redis.masters() if isinstance(redis, RoutedRedis) else {"": redis}


async def disconnect(redis: Redis) -> None:
    """Close every connection of a client; later calls open new ones."""
    if isinstance(redis, RoutedRedis):
        await redis.disconnect()
    else:
        await redis.connection_pool.disconnect()


def reason_of(error: Exception) -> str:
    """Return the text of an error without the arguments of its command.

    Errors of a pipeline quote them, and so does the server's answer to an unknown command.
    """
    if isinstance(error, MovedError):
        return _OF_A_CLUSTER
    text = str(error).rpartition("of pipeline caused error: ")[2]
    return text.partition(", with args beginning with")[0] or type(error).__name__


async def answers(url: str) -> bool:
    """Tell whether a server answers at a URL."""
    async with connect(url) as redis:
        try:
            await redis.ping()
        except RedisError:
            return False
        return True


async def shut_down(url: str) -> int | None:
    """Shut a server down without saving, and return its process id; None if none answers."""
    pid: int | None = None
    async with connect(url) as redis:
        try:
            pid = (await redis.info("server")).get("process_id")
            await redis.shutdown(nosave=True)
        except RedisConnectionError:
            return None
        except RedisError:
            pass
    return pid


def _translating(kind: type[Any]) -> type[Any]:
    """Return a class of connections that close when their server is no longer a master.

    A master that became a replica keeps its connections, and would refuse writes on them for ever.

    Nor do they raise RuntimeError. uvloop does so when a transport is closed while a command is
    written, and redis-py 8.1 lets it through to callers that only handle Redis errors.
    """

    class TranslatingConnection(kind):  # type: ignore[misc]
        async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
            try:
                await super().send_packed_command(*args, **kwargs)
            except RuntimeError as error:
                raise RedisConnectionError(f"lost while a command was written: {error}") from error

        async def read_response(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return await super().read_response(*args, **kwargs)
            except ResponseError as error:
                if not (isinstance(error, ReadOnlyError) or str(error).startswith(_OF_A_REPLICA)):
                    raise
                await self.disconnect()
                raise RedisConnectionError(f"READONLY {error}") from None

    return TranslatingConnection
