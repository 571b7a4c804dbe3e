"""The logs that the driver reads, as their writers and their operator see them."""

import secrets
from collections.abc import Sequence
from typing import Any

import redis

from services.aggregator.transport.broker import Broker
from services.aggregator.transport.memory import MemoryBroker
from services.aggregator.transport.redis import RedisBroker
from services.log import keys
from services.log.memory.server import SERVERS, MemoryServer
from services.log.redis import entry_ids
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster

PARTITIONS = 2
STOLEN_SECONDS = 60.0
"""How long another worker keeps what it has taken, unless it gives it back."""


class TestLog:
    """A log as its writers and its operator see it."""

    __test__ = False
    longest_lease = 3600.0
    """In seconds; no test waits for its end."""
    seek_seconds = 0.2
    """How long the log may take to say where to read on."""
    admits_at_once = True
    """Whether a worker begins before the lease of one that has died is over."""

    def __init__(self, url: str) -> None:
        self.url = url

    def append(self, partition: int, value: bytes) -> int:
        """Append an entry, and return its position; it can be read by then."""
        raise NotImplementedError

    def append_all(self, partition: int, values: Sequence[bytes]) -> list[int]:
        """Append several entries, together where the log can do that."""
        return [self.append(partition, value) for value in values]

    def wipe(self, partition: int) -> None:
        """Drop every entry of a partition."""
        raise NotImplementedError

    def steal(self, group: str, partition: int) -> None:
        """Let another worker own a partition, which reads nothing and commits nothing.

        Whoever owned it may learn of that after this has returned.
        """
        raise NotImplementedError

    def give_back(self, group: str, partition: int) -> None:
        """Let a stolen partition go."""
        raise NotImplementedError

    def length(self, partition: int) -> int:
        raise NotImplementedError

    def topic(self, name: str) -> list[tuple[bytes, dict[str, bytes]]]:
        raise NotImplementedError

    def broker(self, group: str) -> Broker:
        raise NotImplementedError

    def time_ms(self, position: int) -> int:
        """Return the log time of an entry of the first partition."""
        raise NotImplementedError

    def kill(self) -> None:
        """Kill the server."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server again, with the data that it had."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every connection of this writer."""


class MemoryLog(TestLog):
    def __init__(self) -> None:
        name = secrets.token_hex(4)
        super().__init__(f"memory://{name}")
        self.log = SERVERS[name] = MemoryServer()

    def append(self, partition: int, value: bytes) -> int:
        return self.log.append(partition, value, {"n": b"1"})

    def wipe(self, partition: int) -> None:
        self.log.wipe(partition)

    def steal(self, group: str, partition: int) -> None:
        self._lease(group, partition, STOLEN_SECONDS)

    def give_back(self, group: str, partition: int) -> None:
        self._lease(group, partition, 0.001)

    def _lease(self, group: str, partition: int, ttl: float) -> None:
        self.log.leases[group, partition] = ("thief", self.log.clock() + int(ttl * 1000))

    def length(self, partition: int) -> int:
        return len(self.log.streams.get(partition, []))

    def topic(self, name: str) -> list[tuple[bytes, dict[str, bytes]]]:
        return self.log.topics.get(name, [])

    def broker(self, group: str) -> Broker:
        return MemoryBroker(self.log, group, PARTITIONS)

    def time_ms(self, position: int) -> int:
        (time_ms,) = [each.time_ms for each in self.log.records(0) if each.position == position]
        return time_ms


class RedisLog(TestLog):
    def __init__(self, server: RedisServer | RedisCluster) -> None:
        super().__init__(server.url() if isinstance(server, RedisCluster) else server.url)
        self._server = server
        self.client: redis.Redis | redis.RedisCluster = server.client()
        self.client.flushall()

    def append(self, partition: int, value: bytes) -> int:
        entry_id = self.client.xadd(keys.stream(partition), {"n": b"1", "b": value})
        assert isinstance(entry_id, bytes)
        return entry_ids.of_entry(entry_id)

    def wipe(self, partition: int) -> None:
        self.client.delete(keys.stream(partition))

    def steal(self, group: str, partition: int) -> None:
        self._lease(group, partition, STOLEN_SECONDS)

    def give_back(self, group: str, partition: int) -> None:
        self._lease(group, partition, 0.001)

    def _lease(self, group: str, partition: int, ttl: float) -> None:
        self.client.set(keys.owner(partition, group), "thief", px=int(ttl * 1000))

    def length(self, partition: int) -> int:
        length = self.client.xlen(keys.stream(partition))
        assert isinstance(length, int)
        return length

    def topic(self, name: str) -> list[tuple[bytes, dict[str, bytes]]]:
        entries: Any = self.client.xrange(name)
        return [
            (fields.pop(b"b"), {name.decode(): value for name, value in fields.items()})
            for _, fields in entries
        ]

    def broker(self, group: str) -> Broker:
        return RedisBroker(self.url, group)

    def time_ms(self, position: int) -> int:
        return entry_ids.time_ms(position)

    def kill(self) -> None:
        assert isinstance(self._server, RedisServer)
        self.client.close()
        self._server.kill()

    def start(self) -> None:
        assert isinstance(self._server, RedisServer)
        self._server.start()
        self.client = self._server.client()

    def close(self) -> None:
        self.client.close()
