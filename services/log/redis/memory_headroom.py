"""How much room the log has left in the memory of Redis."""

from redis.asyncio import Redis

from services.log.server_memory import LogMemory
from services.redis_client.memory import memory_use

WRITES_WHEN_FULL = "#!lua flags=allow-oom"
"""First line of scripts that run even when Redis is full: they write little, or free memory."""


class MemoryHeadroom(LogMemory):
    """The memory of Redis, in words for log lines."""

    def __str__(self) -> str:
        return f"Redis uses {self.used >> 20} of {self.limit >> 20} MiB"


async def memory_headroom(redis: Redis) -> MemoryHeadroom:
    """Query Redis's memory; for a cluster, that of the fullest master. Raises RedisError."""
    return MemoryHeadroom(*await memory_use(redis))
