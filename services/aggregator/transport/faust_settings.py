"""What the driver needs to know beyond Kafka's settings."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import faust
from faust.tables.manager import TableManager

from services.aggregator.transport.broker import Broker
from services.aggregator.transport.leases import DEFAULT_LEASE_SECONDS


class KeptStarts(Protocol):
    """Knows from where partitions that were just taken may be read, when not from far back."""

    async def look(self, broker: Broker, partition: int, committed: int, far: int) -> Any:
        """Return what is known of a partition.

        Its `start` is the next position to read, at most `committed`; None to read from `far` on.
        """

    def accept(self, found: Mapping[int, Any]) -> None:
        """Go on from what `look` returned of partitions: they are read from there now."""


class NoTables(TableManager):
    """Faust's manager of tables, of which there are none; it also begins each recovery."""

    async def on_start(self) -> None:
        """Begin at once; Faust waits a second for tables that modules may still define."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class App(faust.App):
    """A Faust app with the settings of the driver.

    replay_ms     log time to read again before the committed position, when a partition is taken
    retention_ms  log time that stays in the log after it was committed
    partitions    how many partitions the topic has
    run_bytes     entries that follow one another come as one message of up to so many bytes;
                  0 is a message for each (see runs.py)
    redis_url     where the log is, if at Sentinels or in a cluster: no URL to Faust
    redis_replicas  how many replicas of Redis must hold what is read
    kafka_url     where the log is, if it is in Kafka; else Faust knows it
    kept_starts   from where to read instead of `replay_ms` before; None: always from there
    """

    replay_ms: int = 0
    retention_ms: int = 24 * 3600 * 1000
    partitions: int = 8
    run_bytes: int = 0
    kafka_url: str = ""
    redis_url: str = ""
    redis_replicas: int = 0
    kept_starts: KeptStarts | None = None
    lease_seconds: float = DEFAULT_LEASE_SECONDS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, TableManager=NoTables, **named)

    def add_agent(self, name: str, topic: Any, read: Callable[[Any], Awaitable[None]]) -> None:
        """Let a function read a topic, as what the decorator `agent` makes of it.

        That one tells a scanner, which nobody runs, in which line it stands, and to find this out
        looks up the file of every module there is: 0.1 s.
        """
        agent = self.conf.Agent(
            read,
            name=name,
            app=self,
            channel=topic,
            on_error=self._on_agent_error,
            use_reply_headers=True,
        )
        self.agents[agent.name] = agent
        self.topics.beacon.add(agent)

    def _new_transport(self) -> Any:
        if self.redis_url:
            return self._at_several_hosts(self.conf.broker_consumer)
        if not self.kafka_url:
            return super()._new_transport()
        # Its client is not loaded for a log in Redis.
        from services.aggregator.transport.kafka import Transport

        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        if self.redis_url:
            return self._at_several_hosts(self.conf.broker_producer)
        # One transport has one member of the group, and closes it.
        return self.transport if self.kafka_url else super()._new_producer_transport()

    def _at_several_hosts(self, conf_url: Any) -> Any:
        from services.aggregator.transport.redis import Transport

        return Transport(conf_url, self)
