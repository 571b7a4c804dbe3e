"""A client of several servers of Redis, as its users see it."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from services.runtime.redis_wire import Command


class Hold(NamedTuple):
    """What replicas must have received before a call returns.

    replicas  of each master that was written to
    wait_ms   how long they may take
    touch     a script that writes to the key of a command, changing nothing, for commands that may
              not have written; None where all have
    """

    replicas: int
    wait_ms: int
    touch: str | None


class Routed(NamedTuple):
    """The replies to commands, in their order, and how many replicas have what they are of."""

    replies: list[Any]
    holding: int


class RoutedRedis(Redis):
    """The calls of a client of one Redis, for a cluster: each goes to the master of its key.

    Calls on several keys go to several masters: one after the other or together, never as one.
    """

    @abstractmethod
    async def route(self, commands: Sequence[Command], hold: Hold | None = None) -> Routed:
        """Send commands to the masters of their keys, all masters at once.

        Replies may be errors. Commands of one key alone stay in their order. Raises RedisError
        where a master does not answer; others may have done their part.
        """

    @abstractmethod
    async def masters(self) -> Mapping[str, Redis]:
        """Return clients of the masters by `host:port`. Raises RedisError."""

    @abstractmethod
    async def master_of(self, key: str) -> str:
        """Return which of the masters has a key, `no master` for none. Raises RedisError."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Close every connection; later calls make new ones."""
