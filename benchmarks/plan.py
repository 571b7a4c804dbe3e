"""The model behind docs/scaling.md: what a hit costs, what is assumed, and what follows."""

import math
from collections.abc import Mapping

import msgspec

from benchmarks.results import Report

DAY = 86_400
MONTH_DAYS = 30


class Assumed(msgspec.Struct, frozen=True):
    """What was not measured. Prices are US dollars, the order of list prices of large clouds."""

    peak: float = 3.0
    """The busiest hour, as a multiple of the mean."""
    busy: float = 0.5
    """How much of a core may be used at the peak."""
    reads: float = 1.0
    """Counter reads a page view."""
    log_hours: float = 24.0
    log_hours_large: float = 2.0
    """How long hits stay in Redis; never less than two visit windows."""
    large: float = 1e9
    """Hits a day from which the shorter time is set."""
    raw_days: float = 400.0
    copies: int = 2
    """Of Redis and of ClickHouse."""
    redis_gigabytes: float = 64.0
    """Memory of one Redis that can still be loaded and copied in minutes."""
    disk_terabytes: float = 8.0
    """Disk of one node of ClickHouse."""
    request_bytes: float = 800.0
    """A hit on the wire, heads and TLS included."""
    core: float = 35.0
    """A month of one core with 4 GB."""
    gigabyte_memory: float = 4.0
    """A month of one more gigabyte of memory."""
    gigabyte_disk: float = 0.1
    """A month of one gigabyte of SSD."""
    gigabyte_out: float = 0.05
    """One gigabyte sent to the internet."""


class Costs(msgspec.Struct, frozen=True):
    """What was measured, by hit unless it says otherwise; times in µs of one core."""

    ingest: float
    redis: float
    aggregator: float
    clickhouse: float
    read: float
    log_bytes: float
    raw_bytes: float
    answer_bytes: float

    @classmethod
    def of(cls, reports: Mapping[str, Report]) -> "Costs":
        """Take them from reports. Raises ValueError when one is missing."""

        def value(subject: str, what: str) -> float:
            found = reports[subject].find(what) if subject in reports else None
            if found is None:
                raise ValueError(f"no result {what!r} of {subject}; measure it first")
            return found.value

        named = "server, 50 hits an entry: processor time, "
        return cls(
            ingest=value("ingest", "ingest: processor time"),
            redis=value("ingest", "Redis: processor time"),
            aggregator=value("aggregator", f"{named}aggregator"),
            clickhouse=value("aggregator", f"{named}server of ClickHouse"),
            read=value("api", "counter of one site: processor time"),
            log_bytes=value("size", "Redis, 50 hits an entry"),
            raw_bytes=value("size", "server, table hits"),
            answer_bytes=value("page", "first view: /api/counter/demo"),
        )


class Plan(msgspec.Struct, frozen=True):
    """What a number of hits a day takes."""

    hits: float
    costs: Costs
    assumed: Assumed = Assumed()

    @property
    def peak(self) -> float:
        """Hits a second in the busiest hour."""
        return self.hits / DAY * self.assumed.peak

    def cores(self, microseconds: float, a_hit: float = 1.0) -> float:
        """Return the cores that a work of so many µs a hit needs at the peak."""
        return self.peak * a_hit * microseconds / 1e6 / self.assumed.busy

    def processes(self, microseconds: float, a_hit: float = 1.0) -> int:
        """Return how many processes of one core; two of each, so that one may fail."""
        return max(2, math.ceil(self.cores(microseconds, a_hit)))

    @property
    def log_gigabytes(self) -> float:
        """Memory of the log, one copy."""
        large = self.hits >= self.assumed.large
        hours = self.assumed.log_hours_large if large else self.assumed.log_hours
        return self.hits * hours / 24 * self.costs.log_bytes / 1e9

    @property
    def redis_nodes(self) -> int:
        """Masters: by memory or by the one core that a Redis uses, whichever asks for more."""
        by_memory = self.log_gigabytes / self.assumed.redis_gigabytes
        return max(1, math.ceil(max(by_memory, self.cores(self.costs.redis))))

    @property
    def raw_terabytes(self) -> float:
        """Disk of the raw hits, one copy."""
        return self.hits * self.assumed.raw_days * self.costs.raw_bytes / 1e12

    @property
    def clickhouse_nodes(self) -> int:
        """Shards: by disk or by the cores of the inserts, of 8 cores a node."""
        by_disk = self.raw_terabytes / self.assumed.disk_terabytes
        return max(1, math.ceil(max(by_disk, self.cores(self.costs.clickhouse) / 8)))

    @property
    def megabits_in(self) -> float:
        """Traffic from browsers at the peak."""
        return self.peak * self.assumed.request_bytes * 8 / 1e6

    @property
    def terabytes_out(self) -> float:
        """Traffic to browsers in a month."""
        return self.hits * MONTH_DAYS * self.assumed.reads * self.costs.answer_bytes / 1e12

    @property
    def services(self) -> int:
        """Cores of the three services."""
        return (
            self.processes(self.costs.ingest)
            + self.processes(self.costs.aggregator)
            + self.processes(self.costs.read, self.assumed.reads)
        )

    def dollars(self) -> dict[str, float]:
        """Return what a month costs, by part."""
        prices, copies = self.assumed, self.assumed.copies
        return {
            "services": self.services * prices.core,
            "Redis": copies
            * (self.redis_nodes * prices.core + self.log_gigabytes * prices.gigabyte_memory),
            "ClickHouse": copies
            * (
                self.clickhouse_nodes * 8 * prices.core
                + self.raw_terabytes * 1000 * prices.gigabyte_disk
            ),
            "traffic out": self.terabytes_out * 1000 * prices.gigabyte_out,
        }
