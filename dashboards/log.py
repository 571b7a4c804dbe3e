"""The dashboard of the log and the aggregator: how far behind are the counters, and why?"""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Row, board, processes
from dashboards.panels import Query, graph, value
from dashboards.shared import OF, RATE, UP, machine


def dashboard() -> Dashboard:
    """Return it."""
    return board(
        "luot-log",
        "Luot: log and aggregator",
        "From the log into the counters: is every partition owned, how far behind is each, and"
        " how much of the log is kept?",
        [
            Row(
                "Now",
                [
                    value(
                        "Partitions without an owner",
                        "Nobody counts the hits of such a partition; they wait in the log. After"
                        " a crash it takes LUOT_LEASE_SECONDS until another aggregator owns it.",
                        units.Short,
                        Query(f"max(luot_partitions{{{OF}}}) - sum(luot_owned_partitions{{{OF}}})"),
                        alerts=["LuotPartitionUnowned"],
                        also=["LuotAggregatorDown"],
                    ),
                    value(
                        "Furthest behind",
                        "Age of the oldest entry of the log that is not counted yet, of all"
                        " partitions.",
                        units.Seconds,
                        Query(f"max(luot_stream_lag_seconds{{{OF}}})"),
                        also=["LuotHitsNotCounted"],
                    ),
                    value(
                        "Log and store answer",
                        "Whether the log and the store answer the aggregators.",
                        units.Number,
                        Query(f'min(luot_log_up{{service="aggregator",{OF}}})', "log"),
                        Query(f'min(luot_store_up{{service="aggregator",{OF}}})', "store"),
                        names=UP,
                        alerts=["LuotLogDown", "LuotStoreDown"],
                    ),
                    value(
                        "Memory of the log",
                        "Memory that the log's server uses, as a share of what it may use. From"
                        " 65% the aggregator trims counted hits; when it is full, hits go to the"
                        " spools.",
                        units.PercentUnit,
                        Query(
                            f"max(luot_log_memory_bytes{{{OF}}}"
                            f" / (luot_log_memory_limit_bytes{{{OF}}} > 0))"
                        ),
                        alerts=["LuotLogFills"],
                    ),
                    value(
                        "Reach of the log",
                        "Age of the oldest entry that every partition still has. A backup that is"
                        " older than this cannot be brought up to date by counting again.",
                        units.Seconds,
                        Query(f"min(luot_log_reach_seconds{{{OF}}})"),
                        colour="blue",
                        also=["LuotBackupOutOfReach"],
                    ),
                    value(
                        "Counters that are off",
                        "By how many views and visits the counters of the last days differ from a"
                        " recount of the raw hits. Anything but 0 is a fault of Luot or of the"
                        " store.",
                        units.Short,
                        Query(f"sum by (measure) (luot_drift{{{OF}}})", "{{measure}}"),
                        alerts=["LuotDrift"],
                    ),
                ],
            ),
            Row(
                "How far behind",
                [
                    graph(
                        "Lag in time",
                        "Age of the oldest entry not yet counted, by partition. A few seconds are"
                        " normal while hits come in; a line that climbs with the clock is a"
                        " partition that nobody reads, or a store that takes nothing.",
                        units.Seconds,
                        Query(
                            f"max by (partition) (luot_stream_lag_seconds{{{OF}}})", "{{partition}}"
                        ),
                    ),
                    graph(
                        "Lag in entries",
                        "Entries of the log not yet counted, by partition.",
                        units.Short,
                        Query(
                            f"max by (partition) (luot_stream_lag_entries{{{OF}}})", "{{partition}}"
                        ),
                    ),
                    graph(
                        "Time since the last commit",
                        "Of each partition. On a quiet site it grows without harm; it matters"
                        " where there is lag, too.",
                        units.Seconds,
                        Query(
                            "time() - max by (partition)"
                            f" (luot_last_commit_timestamp_seconds{{{OF}}})",
                            "{{partition}}",
                        ),
                    ),
                    graph(
                        "From the log into the store",
                        "Time from the append of a hit to the log until its counter rows are in"
                        " the store. 2.5 s is what is promised for 99% of the hits, spool and"
                        " cache included.",
                        units.Seconds,
                        Query(
                            "histogram_quantile(0.5, sum by (le)"
                            f" (rate(luot_freshness_seconds_bucket{{{OF}}}[{RATE}])))",
                            "median",
                        ),
                        Query(
                            "histogram_quantile(0.99, sum by (le)"
                            f" (rate(luot_freshness_seconds_bucket{{{OF}}}[{RATE}])))",
                            "99%",
                        ),
                    ),
                    graph(
                        "Partitions by aggregator",
                        "Aggregators share the partitions evenly.",
                        units.Short,
                        Query(f"luot_owned_partitions{{{OF}}}", "{{instance}}"),
                        Query(f"max(luot_partitions{{{OF}}})", "all"),
                        span=8,
                    ),
                    graph(
                        "Memory of the log",
                        "What the log's server uses, and what it may use.",
                        units.BytesIEC,
                        Query(f"max(luot_log_memory_bytes{{{OF}}})", "used"),
                        Query(f"max(luot_log_memory_limit_bytes{{{OF}}})", "limit"),
                    ),
                ],
            ),
            Row(
                "What is counted",
                [
                    graph(
                        "Hits",
                        "Hits folded into counters; and those that browsers sent twice for want"
                        " of an answer, which are counted once.",
                        units.CountsPerSecond,
                        Query(f"sum(rate(luot_folded_hits_total{{{OF}}}[{RATE}]))", "folded"),
                        Query(f"sum(rate(luot_repeated_hits_total{{{OF}}}[{RATE}]))", "repeated"),
                    ),
                    graph(
                        "Replay after a start",
                        "Batches read again to rebuild the visits, and those of them whose raw"
                        " hits the store had lost and now has again.",
                        units.CountsPerSecond,
                        Query(f"sum(rate(luot_replayed_batches_total{{{OF}}}[{RATE}]))", "read"),
                        Query(
                            f"sum(rate(luot_repaired_batches_total{{{OF}}}[{RATE}]))", "repaired"
                        ),
                    ),
                    graph(
                        "Dead letters",
                        "Entries of the log that could not be decoded, in an hour. They are kept"
                        " in the stream hits:dead with the reason.",
                        units.Short,
                        Query(
                            f"sum by (instance) (increase(luot_dead_entries_total{{{OF}}}[1h]))",
                            "{{instance}}",
                        ),
                        alerts=["LuotDeadEntries"],
                    ),
                ],
            ),
            Row(
                "Flush: into the store",
                [
                    graph(
                        "Time of one flush",
                        "The store decides it. Longer than LUOT_FLUSH_SECONDS, the numbers are"
                        " late.",
                        units.Seconds,
                        Query(
                            "histogram_quantile(0.5, sum by (le)"
                            f" (rate(luot_flush_seconds_bucket{{{OF}}}[{RATE}])))",
                            "median",
                        ),
                        Query(
                            "histogram_quantile(0.99, sum by (le)"
                            f" (rate(luot_flush_seconds_bucket{{{OF}}}[{RATE}])))",
                            "99%",
                        ),
                    ),
                    graph(
                        "Rows written",
                        "Rows a second, by table.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (table) (rate(luot_flushed_rows_total{{{OF}}}[{RATE}]))",
                            "{{table}}",
                        ),
                    ),
                    graph(
                        "Refused flushes",
                        "Flushes that the store refused at first. They are repeated until it"
                        " takes them; nothing is committed before.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (instance) (rate(luot_flush_retries_total{{{OF}}}[{RATE}]))",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Rows in memory",
                        "Counter rows that an aggregator holds (at most LUOT_HOT_ROWS); others"
                        " are loaded from the store.",
                        units.Short,
                        Query(f"luot_hot_rows{{{OF}}}", "{{instance}}"),
                    ),
                    graph(
                        "Recount: views and visits off",
                        "The counters of the last days less a recount of raw hits, by measure.",
                        units.Short,
                        Query(f"sum by (measure) (luot_drift{{{OF}}})", "{{measure}}"),
                        least=None,
                    ),
                    graph(
                        "Time since the last recount",
                        "It is made each LUOT_DRIFT_SECONDS.",
                        units.Seconds,
                        Query(
                            "time() - max by (instance)"
                            f" (luot_last_recount_timestamp_seconds{{{OF}}})",
                            "{{instance}}",
                        ),
                    ),
                ],
            ),
            machine(),
        ],
        processes("luot_owned_partitions"),
    )
