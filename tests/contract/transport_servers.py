"""The servers behind the logs that the driver reads."""

from contextlib import ExitStack

import pytest

from tests import require
from tests.contract.transport_kafka import KafkaTestLog
from tests.contract.transport_logs import MemoryLog, RedisLog, TestLog
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer, valkey_program
from tests.servers.redis_cluster import RedisCluster

WITH_LEASES = ["memory", "redis", "valkey", "redis+cluster"]
"""Logs whose owners hold leases; in Kafka they are members of a group."""

ON_ONE_SERVER = pytest.mark.parametrize("log", ["redis", "valkey", "kafka"], indirect=True)
"""Tests of what is one process, which can be killed."""


class Servers:
    """The servers of the tests of a module, each started when a test first needs it."""

    def __init__(self, factory: pytest.TempPathFactory, running: ExitStack) -> None:
        self._factory = factory
        self._running = running
        self._redis: dict[str, RedisServer] = {}
        self._cluster: RedisCluster | None = None
        self._kafka: KafkaServer | None = None

    def log(self, kind: str) -> TestLog:
        """Return an empty log of a kind."""
        if kind == "memory":
            return MemoryLog()
        if kind == "kafka":
            if self._kafka is None:
                server = KafkaServer(self._factory.mktemp("kafka"))
                self._kafka = self._running.enter_context(server)
            return KafkaTestLog(self._kafka)
        if kind == "redis+cluster":
            if self._cluster is None:
                cluster = RedisCluster(self._factory.mktemp("cluster"))
                self._cluster = self._running.enter_context(cluster)
            return RedisLog(self._cluster)
        if kind not in self._redis:
            program = valkey_program() if kind == "valkey" else require.program("redis-server")
            one = RedisServer(self._factory.mktemp(kind), program)
            self._redis[kind] = self._running.enter_context(one)
        return RedisLog(self._redis[kind])
