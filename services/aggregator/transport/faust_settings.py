"""The driver's settings beyond Kafka's."""

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

import faust
from faust.tables.manager import TableManager

from services.aggregator.transport.broker import Broker
from services.aggregator.transport.leases import DEFAULT_LEASE_SECONDS
from services.model.log_schemes import LOG_SCHEMES, scheme_of


class KeptStarts(Protocol):
    """Knows from where newly taken partitions may be read, if not from far back."""

    async def look(self, broker: Broker, partition: int, committed: int, far: int) -> Any:
        """Return what is known of a partition.

        Its `start` is the next position to read, at most `committed`; None to read from `far` on.
        """

    def accept(self, known: Mapping[int, Any]) -> None:
        """Accept what `look` returned for partitions: they are now read from there."""


class NoTables(TableManager):
    """Faust's manager of tables, of which there are none; it also starts each recovery."""

    async def on_start(self) -> None:
        """Start at once; Faust waits a second for tables that modules may still define."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class App(faust.App):
    """A Faust app with the settings of the driver.

    replay_ms     log time to reread before the committed position, when a partition is taken
    retention_ms  log time that stays in the log after it was committed
    partitions    how many partitions the topic has
    run_bytes     consecutive entries are delivered as one message of up to so many bytes;
                  0 is a message for each (see runs.py)
    log_url       URL of the log
    redis_replicas  how many replicas of Redis must hold what is read
    kept_starts   where to resume instead of `replay_ms` before; None: always there
    """

    replay_ms: int = 0
    retention_ms: int = 24 * 3600 * 1000
    partitions: int = 8
    run_bytes: int = 0
    log_url: str = ""
    redis_replicas: int = 0
    kept_starts: KeptStarts | None = None
    lease_seconds: float = DEFAULT_LEASE_SECONDS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, TableManager=NoTables, **named)

    def add_agent(self, name: str, topic: Any, read: Callable[[Any], Awaitable[None]]) -> None:
        """Let a function read a topic, as the decorator `agent` would.

        The decorator records its source line for a scanner that nobody runs, and to find it looks
        up the file of every loaded module: 0.1 s.
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
        # Only the client of the log in use is loaded.
        driver = import_module(f".{LOG_SCHEMES[scheme_of(self.log_url)]}", __package__)
        return driver.Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return self.transport if self.transport.is_shared else self._new_transport()
