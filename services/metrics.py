"""The catalogue of every metric: name, type, labels, meaning.

A service makes the metrics it serves from these entries, in its own `metrics.py`. Base units; no
label by path or visitor, no unbounded label at all. `python -m tests.unit.test_metrics_document`
writes `docs/metrics.md` from it.
"""

import platform

from services import __version__
from services.runtime.metric_kinds import CounterSpec, GaugeSpec, HistogramSpec, Spec

INGEST, AGGREGATOR, API, PROBE = ("ingest",), ("aggregator",), ("api",), ("probe",)
SERVICES = (*INGEST, *AGGREGATOR, *API)

FLUSH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
FRESHNESS_BUCKETS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Closest together below the 2.5 s that are promised; an hour is a store that was down."""


# Ingest
HITS = CounterSpec(INGEST, "luot_hits_total", "Hits received, by outcome", ("outcome",))
DROPS = CounterSpec(
    INGEST, "luot_drops_total", "Hits that were not counted, by reason", ("reason",)
)
OTHER_PATHS = CounterSpec(
    INGEST,
    "luot_other_paths_total",
    "Hits counted as (other), because of the limits of their address or of their site's day",
    ("reason",),
)
UNTRUSTED_FORWARDS = CounterSpec(
    INGEST,
    "luot_untrusted_forwarded_hits_total",
    "Hits with X-Forwarded-For from a peer not in LUOT_TRUSTED_PROXIES: its readers count as one",
)
OVER_BUDGET = CounterSpec(
    INGEST,
    "luot_over_budget_hits_total",
    "Hits beyond what one address, one site or all bots may send, by what was done: refused,"
    " no_visit (a view that is of no visit), not_written (bots of which only this count is kept),"
    " no_room (refused, because their site took most of a log that is nearly full)",
    ("outcome",),
)
GROUP_COMMIT_HITS = HistogramSpec(
    INGEST,
    "luot_group_commit_hits",
    "Hits appended to the log together",
    (),
    (1, 2, 5, 10, 25, 50, 100, 250, 500),
)
GROUP_COMMIT_SECONDS = HistogramSpec(
    INGEST, "luot_group_commit_seconds", "Time of one append to the log, until it is durable"
)
APPEND_RETRIES = CounterSpec(
    INGEST, "luot_append_retries_total", "Appends to the log that had to be repeated"
)
NOT_HELD = CounterSpec(
    INGEST,
    "luot_appends_not_held_total",
    "Appends that fewer replicas held in time than LUOT_REDIS_REPLICAS asks for; they go to the"
    " spool, and are repeated",
)
SPOOL_HITS = GaugeSpec(INGEST, "luot_spool_hits", "Hits in the spool, not yet in the log")
SPOOL_BYTES = GaugeSpec(INGEST, "luot_spool_bytes", "Bytes of the spool on the disk")
SPOOL_LIMIT = GaugeSpec(
    INGEST, "luot_spool_limit_bytes", "Bytes that the spool may take (LUOT_SPOOL_BYTES)"
)
SPOOL_OTHER_BYTES = GaugeSpec(
    INGEST, "luot_spool_other_bytes", "Bytes in LUOT_SPOOL that belong to the log of another Luot"
)
SPOOL_AGE = GaugeSpec(
    INGEST, "luot_spool_age_seconds", "Age of the oldest hit in the spool, 0 when empty"
)
SPOOLED_HITS = CounterSpec(INGEST, "luot_spooled_hits_total", "Hits written to the spool")
DRAINED_HITS = CounterSpec(
    INGEST, "luot_drained_hits_total", "Hits brought from the spool to the log"
)
SPOOL_TORN_BYTES = CounterSpec(
    INGEST,
    "luot_spool_torn_bytes_total",
    "Bytes of the spool that hold no whole record, after a crash",
)
SPOOL_DOUBTFUL_HITS = CounterSpec(
    INGEST,
    "luot_spool_doubtful_hits_total",
    "Hits set aside: so old that it cannot be known whether the log has them already",
)

# Every service
BUILD_INFO = GaugeSpec(
    (*SERVICES, *PROBE),
    "luot_build_info",
    "1, with the version of Luot and of Python that runs this service",
    ("service", "version", "python"),
)
REQUEST_SECONDS = HistogramSpec(
    SERVICES,
    "luot_request_seconds",
    "Time to answer a request, by the path as the code has it ('other' where there is none), method"
    " and status; without /healthz, /readyz and /metrics",
    ("route", "method", "code"),
)
REFUSED_REQUESTS = CounterSpec(
    (*SERVICES, *PROBE),
    "luot_refused_requests_total",
    "Connections closed on a broken, huge or slow request",
    ("reason",),
)

# What a service knows of the others: the label is its name, for processes that hold several
LOG_UP = GaugeSpec(
    SERVICES,
    "luot_log_up",
    "Whether the log answers this service, and takes its hits: 1 or 0, NaN while unknown",
    ("service",),
)
STORE_UP = GaugeSpec(
    (*AGGREGATOR, *API),
    "luot_store_up",
    "Whether the store answers this service: 1 or 0, NaN while unknown",
    ("service",),
)
UNCOUNTED_AGE = GaugeSpec(
    (*INGEST, *AGGREGATOR),
    "luot_uncounted_age_seconds",
    "Age of the oldest accepted hit that is not in the counters, in the log or in this process's"
    " spool: 0 when there is none, NaN while unknown",
    ("service",),
)

# Aggregator
LAG_ENTRIES = GaugeSpec(
    AGGREGATOR,
    "luot_stream_lag_entries",
    "Log entries not yet committed; absent while the log does not answer",
    ("partition",),
)
LAG_SECONDS = GaugeSpec(
    AGGREGATOR,
    "luot_stream_lag_seconds",
    "Age of the oldest log entry not yet committed; absent while the log does not answer",
    ("partition",),
)
LAST_COMMIT = GaugeSpec(
    AGGREGATOR,
    "luot_last_commit_timestamp_seconds",
    "When a position was last committed",
    ("partition",),
)
PARTITIONS = GaugeSpec(
    AGGREGATOR, "luot_partitions", "Partitions of the log (LUOT_PARTITIONS): all must be owned"
)
OWNED_PARTITIONS = GaugeSpec(
    AGGREGATOR, "luot_owned_partitions", "Partitions that this aggregator owns"
)
FOLD = GaugeSpec(
    AGGREGATOR, "luot_fold", "1 for the fold that runs: c, or python, which is slower", ("fold",)
)
FOLDED_HITS = CounterSpec(AGGREGATOR, "luot_folded_hits_total", "Hits folded into counters")
REPEATED_HITS = CounterSpec(
    AGGREGATOR,
    "luot_repeated_hits_total",
    "Hits that browsers sent again for want of an answer, not counted",
)
FLUSH_SECONDS = HistogramSpec(
    AGGREGATOR, "luot_flush_seconds", "Time of one flush to the store", (), FLUSH_BUCKETS
)
FLUSHED_ROWS = CounterSpec(
    AGGREGATOR, "luot_flushed_rows_total", "Rows written to the store", ("table",)
)
FLUSH_RETRIES = CounterSpec(
    AGGREGATOR, "luot_flush_retries_total", "Flushes that the store refused at first"
)
REPLAYED_BATCHES = CounterSpec(
    AGGREGATOR,
    "luot_replayed_batches_total",
    "Batches read again after a start to rebuild the visits",
)
TAKEN_PARTITIONS = CounterSpec(
    AGGREGATOR,
    "luot_taken_partitions_total",
    "Partitions taken, by how reading began: kept (from a kept state of the fold), else two windows"
    " read again: nothing_kept, damaged, other_version, other_log, store_restarted, position,"
    " unavailable",
    ("start",),
)
REPAIRED_BATCHES = CounterSpec(
    AGGREGATOR, "luot_repaired_batches_total", "Replayed batches whose raw hits the store had lost"
)
FRESHNESS = HistogramSpec(
    AGGREGATOR,
    "luot_freshness_seconds",
    "Time from a hit's append to the log until its counter rows are in the store, each hit once",
    (),
    FRESHNESS_BUCKETS,
)
LOG_REACH = GaugeSpec(
    AGGREGATOR,
    "luot_log_reach_seconds",
    "Age of the oldest entry that every partition still has: how old a backup may be for its gap"
    " to be filled; absent while the log does not answer, or has had no entry",
)
LOG_RETENTION = GaugeSpec(
    AGGREGATOR, "luot_log_retention_seconds", "How long counted hits stay in the log, if they fit"
)
LOG_MEMORY = GaugeSpec(
    AGGREGATOR, "luot_log_memory_bytes", "Memory that the server of the log uses; absent if unknown"
)
LOG_MEMORY_LIMIT = GaugeSpec(
    AGGREGATOR,
    "luot_log_memory_limit_bytes",
    "Memory that the server of the log may use: its maxmemory, or two thirds of the machine's;"
    " absent if unknown",
)
DEAD_ENTRIES = CounterSpec(
    AGGREGATOR, "luot_dead_entries_total", "Log entries that could not be decoded"
)
HOT_ROWS = GaugeSpec(AGGREGATOR, "luot_hot_rows", "Counter rows held in memory")
DRIFT = GaugeSpec(
    AGGREGATOR,
    "luot_drift",
    "Views and visits by which the counters of the last days differ from a recount of raw hits",
    ("partition", "measure"),
)
LAST_RECOUNT = GaugeSpec(
    AGGREGATOR,
    "luot_last_recount_timestamp_seconds",
    "When the counters were last compared with raw hits",
)

# API
NUMBER_READS = CounterSpec(
    API,
    "luot_number_reads_total",
    "Reads of the public numbers of a site, by what the cache held",
    ("outcome",),
)
COUNTER_READS = CounterSpec(
    API,
    "luot_value_reads_total",
    "Reads of the counters of a site or a page from the store, by cause: first (nothing was known),"
    " changed (it was told of a change), net (now and then, in case that was missed), settling"
    " (once a second for a while after a change, where the store has several hosts), untold (once a"
    " second, because nobody tells of changes)",
    ("cause",),
)
MISSED_CHANGES = CounterSpec(
    API,
    "luot_missed_changes_total",
    "Counters that had changed when they were read for the net, and nobody had told of it",
)
TOLD_PARTITIONS = GaugeSpec(
    API,
    "luot_told_partitions",
    "Partitions of the log whose changes an aggregator tells this process",
)
STALE_ANSWERS = CounterSpec(API, "luot_stale_answers_total", "Answers from the last good numbers")
SIGN_INS = CounterSpec(API, "luot_sign_ins_total", "Attempts to sign in, by outcome", ("outcome",))
STORE_PARTS = GaugeSpec(
    API,
    "luot_store_parts",
    "Most active parts of one partition of a table: when they are merged too slowly, it grows, and"
    " in the end the store refuses inserts",
)
STORE_FREE = GaugeSpec(
    API, "luot_store_free_bytes", "Free bytes of the store's fullest disk; absent on old servers"
)
STORE_DISK = GaugeSpec(API, "luot_store_disk_bytes", "Size of that disk; absent on old servers")
LAST_BACKUP = GaugeSpec(
    API, "luot_last_backup_timestamp_seconds", "When the last backup ended; absent before the first"
)
LAST_BACKUP_BYTES = GaugeSpec(API, "luot_last_backup_bytes", "Size of the last backup")
LAST_BACKUP_VERIFIED = GaugeSpec(
    API,
    "luot_last_backup_verified_timestamp_seconds",
    "When a backup was last verified; absent before the first time",
)
LAST_DOCTOR = GaugeSpec(
    API,
    "luot_last_doctor_timestamp_seconds",
    "When `luot doctor` last ended; absent before the first time",
)
DOCTOR_FAILURES = GaugeSpec(
    API, "luot_doctor_failures", "Checks that `luot doctor` found wrong when it last ran"
)
SITE_ONLINE = GaugeSpec(
    API,
    "luot_site_online",
    "Visitors online, of the LUOT_SITE_METRICS sites with the most views this month",
    ("site",),
)
SITE_VIEWS = GaugeSpec(
    API,
    "luot_site_views",
    "Views of the same sites, by the periods of the public numbers, ledger included",
    ("site", "period"),
)
SITE_LAST_HIT = GaugeSpec(
    API,
    "luot_site_last_hit_timestamp_seconds",
    "When the last view of the same sites was: when it came into the log, or as the access log has"
    " it that was imported last; absent before the first",
    ("site",),
)
SILENT_SITES = GaugeSpec(
    API,
    "luot_silent_sites",
    "Sites that had views on each of the seven days before their last one, and none since then for"
    " LUOT_SILENT_SECONDS, of which only the hours from 7 to 22 of the site's own day count; a site"
    " is silent for 30 days, then it is forgotten",
)
REPORTS_MAILED = CounterSpec(
    API,
    "luot_reports_mailed_total",
    "Reports by e-mail, by outcome: sent, failed (tried again later)",
    ("outcome",),
)
ALERTS_MAILED = CounterSpec(
    API,
    "luot_alerts_mailed_total",
    "Alerts by e-mail, by outcome: sent, failed (tried again later)",
    ("outcome",),
)

# Probe
PROBES = CounterSpec(
    PROBE,
    "luot_probes_total",
    "Hits of the probe, by outcome: ok (counted in time), late (accepted, and not counted in"
    " time), refused (answered, and not taken), unreachable (no answer)",
    ("outcome",),
)
PROBE_SECONDS = GaugeSpec(
    PROBE,
    "luot_probe_seconds",
    "Time from sending the last hit that was counted until the public number showed it",
)
PROBE_LAST_SUCCESS = GaugeSpec(
    PROBE, "luot_probe_last_success_timestamp_seconds", "When a hit of the probe was last counted"
)


def announce(service: str) -> None:
    """Serve which version of Luot and of Python this service of the process runs on."""
    BUILD_INFO.create().labels(service, __version__, platform.python_version()).set(1)


CATALOGUE = tuple(value for value in list(globals().values()) if isinstance(value, Spec))
