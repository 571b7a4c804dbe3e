"""How much room the log has left in the memory of Redis."""

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.log.server_memory import LogMemory
from services.redis_client.client import servers

WRITES_WHEN_FULL = "#!lua flags=allow-oom"
"""First line of scripts that run even when Redis is full: they write little, or free memory."""
MACHINE_SHARE = 2 / 3
"""Share of the machine's memory for a Redis without maxmemory: other processes need some, too."""


class MemoryHeadroom(LogMemory):
    """The memory of Redis, in words for log lines."""

    def __str__(self) -> str:
        return f"Redis uses {self.used >> 20} of {self.limit >> 20} MiB"


async def memory_headroom(redis: Redis) -> MemoryHeadroom:
    """Query Redis's memory; for a cluster, that of the fullest master. Raises RedisError."""
    headrooms = [await _of_server(server) for server in (await servers(redis)).values()]
    return max(headrooms, key=lambda memory: memory.share)


async def _of_server(redis: Redis) -> MemoryHeadroom:
    try:
        memory = await redis.info("memory")
    except ResponseError:
        # Some hosted servers do not allow INFO.
        return MemoryHeadroom(0, 0)
    limit = int(memory.get("maxmemory", 0))
    limit = limit or int(MACHINE_SHARE * int(memory.get("total_system_memory", 0)))
    return MemoryHeadroom(int(memory.get("used_memory", 0)), limit)
