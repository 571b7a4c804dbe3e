"""The dashboard of ingest: what comes in, what of it counts, and where it waits."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Row, board, processes
from dashboards.panels import Query, graph, value
from dashboards.shared import (
    OF,
    RATE,
    UP,
    machine,
    refused_requests,
    request_rows,
)


def dashboard() -> Dashboard:
    """Return it."""
    return board(
        "luot-ingest",
        "Luot: ingest",
        "From browsers to the log: are hits accepted, which are dropped and why, and do any wait"
        " in the spool?",
        [
            Row(
                "Now",
                [
                    value(
                        "Hits accepted",
                        "Hits answered with 202 (or the GIF) a second: durable in the log or the"
                        " spool.",
                        units.CountsPerSecond,
                        Query(f'sum(rate(luot_hits_total{{outcome="accepted",{OF}}}[{RATE}]))'),
                        colour="blue",
                        decimals=1,
                        also=["LuotNoHits", "LuotIngestDown"],
                    ),
                    value(
                        "Hits refused, last hour",
                        "Share of hits that neither the log nor a spool took (503), of all"
                        " processes: they are lost. 0.1% is promised.",
                        units.PercentUnit,
                        Query("luot:ingest_failed:ratio_rate1h"),
                        alerts=["LuotIngestBudgetBurnsFast"],
                        decimals=2,
                    ),
                    value(
                        "The log takes hits",
                        "Whether the log answers each ingest and takes its hits. While it does"
                        " not, hits go to the spool and none is lost.",
                        units.Number,
                        Query(f'luot_log_up{{service="ingest",{OF}}}', "{{instance}}"),
                        names=UP,
                        alerts=["LuotLogDown"],
                    ),
                    value(
                        "Hits in the spool",
                        "Hits that the log could not take yet. They are counted late, not lost.",
                        units.Short,
                        Query(f"sum(luot_spool_hits{{{OF}}})"),
                    ),
                    value(
                        "Oldest hit in the spool",
                        "How late the numbers are because of the spool.",
                        units.Seconds,
                        Query(f"max(luot_spool_age_seconds{{{OF}}})"),
                    ),
                    value(
                        "Spool used",
                        "Bytes of the fullest spool as a share of LUOT_SPOOL_BYTES. When it is"
                        " full and the log takes nothing, hits are refused with 503.",
                        units.PercentUnit,
                        Query(
                            f"max(luot_spool_bytes{{{OF}}} / (luot_spool_limit_bytes{{{OF}}} > 0))"
                        ),
                        alerts=["LuotSpoolFills"],
                    ),
                ],
            ),
            Row(
                "What comes in, and what of it counts",
                [
                    graph(
                        "Hits by outcome",
                        "All that is received. A rise of anything but `accepted` is explained by"
                        " the panels beside.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (outcome) (rate(luot_hits_total{{{OF}}}[{RATE}]))",
                            "{{outcome}}",
                        ),
                        stacked=True,
                    ),
                    graph(
                        "Dropped hits by reason",
                        "Why hits were not counted, as the header X-Luot-Dropped tells the"
                        " browser. `foreign_host` and `unknown_site` are a portal that is not set"
                        " up right, `rate` is more than a reader can send.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (reason) (rate(luot_drops_total{{{OF}}}[{RATE}])) > 0",
                            "{{reason}}",
                        ),
                        stacked=True,
                        also=["LuotForeignHits"],
                    ),
                    graph(
                        "Beyond a budget",
                        "Hits in an hour beyond what one address, or all bots, may send: refused,"
                        " a view without a visit, or bots that are only counted here.",
                        units.Short,
                        Query(
                            f"sum by (outcome) (increase(luot_over_budget_hits_total{{{OF}}}[1h]))",
                            "{{outcome}}",
                        ),
                        alerts=["LuotReadersRefused"],
                    ),
                    graph(
                        "Views under (other)",
                        "Views of pages that are new and were not opened: `address` has used up"
                        " what it may open, `site` has had its new pages of the day. `luot repair"
                        " paths` gives them back to their pages.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (reason) (rate(luot_other_paths_total{{{OF}}}[{RATE}]))",
                            "{{reason}}",
                        ),
                    ),
                    graph(
                        "Hits through an untrusted proxy",
                        "Hits in an hour with X-Forwarded-For from a peer that"
                        " LUOT_TRUSTED_PROXIES does not name: all readers behind it count as one.",
                        units.Short,
                        Query(
                            f"sum(increase(luot_untrusted_forwarded_hits_total{{{OF}}}[1h]))",
                            "hits",
                        ),
                        alerts=["LuotProxyNotTrusted"],
                    ),
                    refused_requests(),
                ],
            ),
            *request_rows(),
            Row(
                "Group commit: from memory into the log",
                [
                    graph(
                        "Time of one append",
                        "Until the log has it on the disk. Above a second the circuit breaker"
                        " opens and hits go to the spool.",
                        units.Seconds,
                        Query(
                            "histogram_quantile(0.5, sum by (le)"
                            f" (rate(luot_group_commit_seconds_bucket{{{OF}}}[{RATE}])))",
                            "median",
                        ),
                        Query(
                            "histogram_quantile(0.99, sum by (le)"
                            f" (rate(luot_group_commit_seconds_bucket{{{OF}}}[{RATE}])))",
                            "99%",
                        ),
                    ),
                    graph(
                        "Hits of one append",
                        "How many hits share one append: it grows with the load.",
                        units.Short,
                        Query(
                            f"sum(rate(luot_group_commit_hits_sum{{{OF}}}[{RATE}]))"
                            f" / (sum(rate(luot_group_commit_hits_count{{{OF}}}[{RATE}])) > 0)",
                            "mean",
                        ),
                        Query(
                            "histogram_quantile(0.99, sum by (le)"
                            f" (rate(luot_group_commit_hits_bucket{{{OF}}}[{RATE}])))",
                            "99%",
                        ),
                    ),
                    graph(
                        "Repeated appends",
                        "Appends that failed or were too slow and were sent again. Sequences make"
                        " the second one change nothing.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (instance) (rate(luot_append_retries_total{{{OF}}}[{RATE}]))",
                            "{{instance}}",
                        ),
                    ),
                ],
            ),
            Row(
                "Spool: what the log could not take yet",
                [
                    graph(
                        "Bytes",
                        "Of each process, on its own disk, with the limit LUOT_SPOOL_BYTES."
                        " `other` belongs to the log of another Luot and is left alone.",
                        units.BytesIEC,
                        Query(f"luot_spool_bytes{{{OF}}}", "{{instance}}"),
                        Query(f"luot_spool_other_bytes{{{OF}}}", "other, {{instance}}"),
                        Query(f"min(luot_spool_limit_bytes{{{OF}}})", "limit"),
                    ),
                    graph(
                        "In and out",
                        "Hits written to the spool, and brought from it to the log. While the"
                        " spool drains, the second is above the first.",
                        units.CountsPerSecond,
                        Query(f"sum(rate(luot_spooled_hits_total{{{OF}}}[{RATE}]))", "in"),
                        Query(f"sum(rate(luot_drained_hits_total{{{OF}}}[{RATE}]))", "out"),
                    ),
                    graph(
                        "Left over by crashes",
                        "Bytes that hold no whole record, and hits so old that nobody can know"
                        " whether the log has them: set aside, never guessed at.",
                        units.Short,
                        Query(
                            f"sum(increase(luot_spool_doubtful_hits_total{{{OF}}}[1h]))",
                            "doubtful hits in an hour",
                        ),
                        Query(
                            f"sum(increase(luot_spool_torn_bytes_total{{{OF}}}[1h]))",
                            "torn bytes in an hour",
                        ),
                        alerts=["LuotHitsSetAside", "LuotSpoolTorn"],
                    ),
                ],
            ),
            machine(),
        ],
        processes("luot_hits_total"),
    )
