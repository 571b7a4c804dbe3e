"""The catalogue of every metric: name, type, labels, meaning.

A service makes the metrics it serves from these entries, in its own `metrics.py`. Base units; no
label by path or visitor, no unbounded label at all.
"""

from dataclasses import dataclass
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class CounterSpec:
    """A metric that only grows."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    @cache  # noqa: B019  the catalogue lives as long as the process
    def create(self) -> Counter:
        """Return the live metric of this process; services that share one share it."""
        return Counter(self.name, self.help, self.labels)


@dataclass(frozen=True)
class GaugeSpec:
    """A metric that goes up and down."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    @cache  # noqa: B019  the catalogue lives as long as the process
    def create(self) -> Gauge:
        """Return the live metric of this process; services that share one share it."""
        return Gauge(self.name, self.help, self.labels)


@dataclass(frozen=True)
class HistogramSpec:
    """A distribution."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = LATENCY_SECONDS

    @cache  # noqa: B019  the catalogue lives as long as the process
    def create(self) -> Histogram:
        """Return the live metric of this process; services that share one share it."""
        return Histogram(self.name, self.help, self.labels, buckets=self.buckets)


# Ingest
HITS = CounterSpec("luot_hits_total", "Hits received, by outcome", ("outcome",))
DROPS = CounterSpec("luot_drops_total", "Hits that were not counted, by reason", ("reason",))
OTHER_PATHS = CounterSpec(
    "luot_other_paths_total",
    "Hits counted as (other), because of the limits of their address or of their site's day",
    ("reason",),
)
UNTRUSTED_FORWARDS = CounterSpec(
    "luot_untrusted_forwarded_hits_total",
    "Hits with X-Forwarded-For from a peer not in LUOT_TRUSTED_PROXIES: its readers count as one",
)
OVER_BUDGET = CounterSpec(
    "luot_over_budget_hits_total",
    "Hits beyond what one address, or all bots, may send, by what was done: refused, no_visit (a"
    " view that is of no visit), not_written (bots of which only this count is kept)",
    ("outcome",),
)
GROUP_COMMIT_HITS = HistogramSpec(
    "luot_group_commit_hits",
    "Hits appended to the log together",
    (),
    (1, 2, 5, 10, 25, 50, 100, 250, 500),
)
GROUP_COMMIT_SECONDS = HistogramSpec(
    "luot_group_commit_seconds", "Time of one append to the log, until it is durable"
)
APPEND_RETRIES = CounterSpec(
    "luot_append_retries_total", "Appends to the log that had to be repeated"
)
SPOOL_HITS = GaugeSpec("luot_spool_hits", "Hits in the spool, not yet in the log")
SPOOL_BYTES = GaugeSpec("luot_spool_bytes", "Bytes of the spool on the disk")
SPOOL_OTHER_BYTES = GaugeSpec(
    "luot_spool_other_bytes", "Bytes in LUOT_SPOOL that belong to the log of another Luot"
)
SPOOL_AGE = GaugeSpec("luot_spool_age_seconds", "Age of the oldest hit in the spool, 0 when empty")
SPOOLED_HITS = CounterSpec("luot_spooled_hits_total", "Hits written to the spool")
DRAINED_HITS = CounterSpec("luot_drained_hits_total", "Hits brought from the spool to the log")
SPOOL_TORN_BYTES = CounterSpec(
    "luot_spool_torn_bytes_total", "Bytes of the spool that hold no whole record, after a crash"
)
SPOOL_DOUBTFUL_HITS = CounterSpec(
    "luot_spool_doubtful_hits_total",
    "Hits set aside: so old that it cannot be known whether the log has them already",
)

# Every HTTP service
REQUEST_SECONDS = HistogramSpec(
    "luot_request_seconds", "Time to answer a request", ("route", "method", "code")
)
REFUSED_REQUESTS = CounterSpec(
    "luot_refused_requests_total",
    "Connections closed on a broken, huge or slow request",
    ("reason",),
)

# What a service knows of the others: the label is its name, for processes that hold several
LOG_UP = GaugeSpec(
    "luot_log_up",
    "Whether the log answers this service, and takes its hits: 1 or 0, NaN while unknown",
    ("service",),
)
STORE_UP = GaugeSpec(
    "luot_store_up",
    "Whether the store answers this service: 1 or 0, NaN while unknown",
    ("service",),
)
UNCOUNTED_AGE = GaugeSpec(
    "luot_uncounted_age_seconds",
    "Age of the oldest accepted hit that is not in the counters, in the log or in this process's"
    " spool: 0 when there is none, NaN while unknown",
    ("service",),
)

# Aggregator
LAG_ENTRIES = GaugeSpec(
    "luot_stream_lag_entries",
    "Log entries not yet committed; absent while the log does not answer",
    ("partition",),
)
LAG_SECONDS = GaugeSpec(
    "luot_stream_lag_seconds",
    "Age of the oldest log entry not yet committed; absent while the log does not answer",
    ("partition",),
)
LAST_COMMIT = GaugeSpec(
    "luot_last_commit_timestamp_seconds", "When a position was last committed", ("partition",)
)
OWNED_PARTITIONS = GaugeSpec("luot_owned_partitions", "Partitions that this aggregator owns")
FOLDED_HITS = CounterSpec("luot_folded_hits_total", "Hits folded into counters")
REPEATED_HITS = CounterSpec(
    "luot_repeated_hits_total", "Hits that browsers sent again for want of an answer, not counted"
)
FLUSH_SECONDS = HistogramSpec("luot_flush_seconds", "Time of one flush to the store")
FLUSHED_ROWS = CounterSpec("luot_flushed_rows_total", "Rows written to the store", ("table",))
FLUSH_RETRIES = CounterSpec("luot_flush_retries_total", "Flushes that the store refused at first")
REPLAYED_BATCHES = CounterSpec(
    "luot_replayed_batches_total", "Batches read again after a start to rebuild the visits"
)
REPAIRED_BATCHES = CounterSpec(
    "luot_repaired_batches_total", "Replayed batches whose raw hits the store had lost"
)
DEAD_ENTRIES = CounterSpec("luot_dead_entries_total", "Log entries that could not be decoded")
HOT_ROWS = GaugeSpec("luot_hot_rows", "Counter rows held in memory")
DRIFT = GaugeSpec(
    "luot_drift",
    "Views and visits by which the counters of the last days differ from a recount of raw hits",
    ("partition", "measure"),
)
LAST_RECOUNT = GaugeSpec(
    "luot_last_recount_timestamp_seconds", "When the counters were last compared with raw hits"
)

# API
COUNTER_CACHE = CounterSpec(
    "luot_counter_cache_total", "Counter reads, by what the cache held", ("outcome",)
)
STALE_ANSWERS = CounterSpec("luot_stale_answers_total", "Answers from the last good numbers")
SIGN_INS = CounterSpec("luot_sign_ins_total", "Attempts to sign in, by outcome", ("outcome",))

CATALOGUE = tuple(
    value
    for value in list(globals().values())
    if isinstance(value, CounterSpec | GaugeSpec | HistogramSpec)
)
