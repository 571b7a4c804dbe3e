"""How much memory a Redis uses, and may use."""

from typing import NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.redis_client.client import servers

MACHINE_SHARE = 2 / 3
"""Share of the machine's memory for a Redis without maxmemory: other processes need some, too."""


class MemoryUse(NamedTuple):
    """Memory in bytes: what is used, and the limit; both 0 where Redis does not tell."""

    used: int
    limit: int


async def memory_use(redis: Redis) -> MemoryUse:
    """Query Redis's memory; for a cluster, that of the fullest master. Raises RedisError."""
    uses = [await _of_server(server) for server in (await servers(redis)).values()]
    return max(uses, key=lambda use: use.used / use.limit if use.limit else 0.0)


async def _of_server(redis: Redis) -> MemoryUse:
    try:
        memory = await redis.info("memory")
    except ResponseError:
        # Some hosted servers do not allow INFO.
        return MemoryUse(0, 0)
    limit = int(memory.get("maxmemory", 0))
    limit = limit or int(MACHINE_SHARE * int(memory.get("total_system_memory", 0)))
    return MemoryUse(int(memory.get("used_memory", 0)), limit)
