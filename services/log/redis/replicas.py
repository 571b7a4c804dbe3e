"""What is in the log is held by replicas, too, where that is asked for.

A master that fails over loses whatever its replica has not received yet. So an append counts, and
an entry is read, only once enough replicas hold all that the master had at that moment. What was
appended and is not held may be lost: it must be appended again, and nobody may have seen it.
"""

from typing import Any

from redis.asyncio import Redis

from services.log import keys
from services.log.errors import LogNotHeldError
from services.log.redis import raw_pipeline

WAIT_MS = 500
"""How long replicas may take to say what they hold; a visitor waits for it."""


class Replicas:
    """How many replicas must hold an entry, and how a master is asked whether they do."""

    def __init__(self, needed: int = 0) -> None:
        self.needed = needed

    @property
    def commands(self) -> list[raw_pipeline.Command]:
        """The commands to send after others, on the same connection; their last reply counts.

        WAIT is for what its connection wrote last, which an append that is repeated or a reader
        did not. A message to nobody is a write for replicas alone, which no file of the server
        keeps. (Not on a Redis Cluster, where messages take another way.)
        """
        if not self.needed:
            return []
        return [("PUBLISH", keys.HELD, ""), ("WAIT", self.needed, WAIT_MS)]

    def check(self, holding: int) -> None:
        """Take the reply to the last of the commands. Raises LogNotHeldError."""
        if holding < self.needed:
            raise LogNotHeldError(
                f"{holding} replicas hold what is in the log, after {WAIT_MS} ms; expected"
                f" {self.needed} (LUOT_REDIS_REPLICAS)"
            )

    async def send(self, redis: Redis, commands: list[raw_pipeline.Command]) -> list[Any]:
        """Send commands as `raw_pipeline.send` does; return their replies once all is held.

        Raises redis.exceptions.RedisError, and LogNotHeldError after all replies were read.
        """
        replies = await raw_pipeline.send(redis, [*commands, *self.commands] if commands else [])
        if self.needed and commands:
            self.check(int(replies[-1]))
        return replies[: len(commands)]
