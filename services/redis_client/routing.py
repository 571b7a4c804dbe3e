"""The interface of a client of several Redis servers."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from services.redis_client.wire import Command


class Hold(NamedTuple):
    """How many replicas must have received the writes before a call returns.

    replicas  for each master that was written to
    wait_ms   how long they may take
    touch     a script that writes to a command's key without changing it, for commands that may not
              have written; None if all have
    """

    replicas: int
    wait_ms: int
    touch: str | None


class Routed(NamedTuple):
    """The replies to commands, in order, and how many replicas have received the writes."""

    replies: list[Any]
    holding: int


class RoutedRedis(Redis):
    """A client of a cluster with the interface of one for a single Redis.

    Each call goes to the master of its key. Calls with several keys go to several masters, one
    after the other or at the same time, but never atomically.
    """

    @abstractmethod
    async def route(
        self, commands: Sequence[Command], hold: Hold | None = None, *, once: bool = False
    ) -> Routed:
        """Send commands to the masters of their keys, all masters at once.

        Replies may be errors. Only commands with the same key keep their order. With `once`, what a
        master may have executed is not sent again, even to its successor. Raises RedisError if a
        master does not answer; others may have executed their commands.
        """

    @abstractmethod
    async def masters(self) -> Mapping[str, Redis]:
        """Return clients of the masters by `host:port`. Raises RedisError."""

    @abstractmethod
    async def master_of(self, key: str) -> str:
        """Return which master has a key, or `no master`. Raises RedisError."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Close every connection; later calls open new ones."""
