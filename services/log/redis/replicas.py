"""Waits until replicas hold what is in the log, if configured.

A failover loses whatever the replica has not received yet. So an append counts, and an entry is
read, only once enough replicas hold all that the master had at that moment. What was appended but
is not held may be lost: it must be appended again, and nobody may have seen it.
"""

from typing import Any

from redis.asyncio import Redis

from services.log import keys
from services.log.errors import LogNotHeldError
from services.log.redis import raw_pipeline
from services.log.redis.memory_headroom import WRITES_WHEN_FULL
from services.redis_client.routing import Hold, RoutedRedis

WAIT_MS = 500
"""How long replicas may take to acknowledge; a visitor waits for it."""
# In a cluster, published messages do not go through replication.
_TOUCH = f"""{WRITES_WHEN_FULL}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local about = redis.call('XINFO', 'STREAM', KEYS[1])
redis.set_repl(redis.REPL_REPLICA)
for i = 1, #about, 2 do
  if about[i] == 'last-generated-id' then redis.call('XSETID', KEYS[1], about[i + 1]) end
end
return 1
"""


class Replicas:
    """How many replicas must hold an entry, and how to ask a master whether they do."""

    def __init__(self, needed: int = 0) -> None:
        self.needed = needed

    @property
    def commands(self) -> list[raw_pipeline.Command]:
        """The commands to send after others, on the same connection; their last reply counts.

        WAIT covers the last write of its connection, and a repeated append or a reader has none. A
        message without subscribers is a write for the replicas only, which does not go to the
        server's append-only file.
        """
        if not self.needed:
            return []
        return [("PUBLISH", keys.HELD, ""), ("WAIT", self.needed, WAIT_MS)]

    def check(self, holding: int) -> None:
        """Check the reply to the last of the commands. Raises LogNotHeldError."""
        if holding < self.needed:
            raise LogNotHeldError(
                f"{holding} replicas hold what is in the log, after {WAIT_MS} ms; expected"
                f" {self.needed} (LUOT_REDIS_REPLICAS)"
            )

    async def send(
        self,
        redis: Redis,
        commands: list[raw_pipeline.Command],
        *,
        writing: bool = False,
        once: bool = False,
    ) -> list[Any]:
        """Send commands as `raw_pipeline.send` does; return their replies once all is held.

        On a cluster the first key of each is a stream, unless all are `writing`. Raises
        redis.exceptions.RedisError, and LogNotHeldError after all replies were read.
        """
        if not (self.needed and commands):
            return await raw_pipeline.send(redis, commands, once=once)
        if isinstance(redis, RoutedRedis):
            hold = Hold(self.needed, WAIT_MS, None if writing else _TOUCH)
            routed = await redis.route(commands, hold, once=once)
            replies = raw_pipeline.checked(routed.replies)
            self.check(routed.holding)
            return replies
        replies = await raw_pipeline.send(redis, [*commands, *self.commands], once=once)
        self.check(int(replies[-1]))
        return replies[: len(commands)]
