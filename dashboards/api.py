"""The dashboard of the API: are the public numbers answered, in time, and are they fresh?"""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Row, board, processes
from dashboards.panels import Query, graph, value
from dashboards.shared import COUNTER, OF, RATE, UP, machine, refused_requests, request_rows


def dashboard() -> Dashboard:
    """Return it."""
    return board(
        "luot-api",
        "Luot: API",
        "From the store to people: are the public numbers answered, how fast, and are they"
        " current? Who signs in?",
        [
            Row(
                "Now",
                [
                    value(
                        "Readings of public numbers",
                        "Requests for the numbers of a site, a second.",
                        units.RequestsPerSecond,
                        Query(f"sum(rate(luot_request_seconds_count{{{COUNTER},{OF}}}[{RATE}]))"),
                        colour="blue",
                        decimals=1,
                    ),
                    value(
                        "Readings that failed, last hour",
                        "Share of readings of the public numbers that were answered with an error"
                        " (5xx), of all processes. 0.1% is promised; the colours are those of a"
                        " fast burn of that budget.",
                        units.PercentUnit,
                        Query("luot:counter_failed:ratio_rate1h"),
                        alerts=["LuotCounterBudgetBurnsFast"],
                        decimals=2,
                    ),
                    value(
                        "99% are answered within",
                        "Time to answer a reading of the public numbers, of all processes.",
                        units.Seconds,
                        Query("luot:counter_seconds:p99_rate5m"),
                        alerts=["LuotCounterSlow"],
                    ),
                    value(
                        "Old numbers",
                        "Answers a second that come from the last good numbers, because the store"
                        ' could not be read in time. The answer says so: "stale": true.',
                        units.CountsPerSecond,
                        Query(f"sum(rate(luot_stale_answers_total{{{OF}}}[{RATE}]))"),
                        alerts=["LuotNumbersStale"],
                    ),
                    value(
                        "The store answers",
                        "Whether ClickHouse answers the API. Without it the last good numbers are"
                        " shown.",
                        units.Number,
                        Query(f'min(luot_store_up{{service="api",{OF}}})'),
                        names=UP,
                        alerts=["LuotStoreDown"],
                    ),
                    value(
                        "The log answers",
                        "Whether Redis answers the API. Without it nobody can sign in, and who is"
                        " online is not known.",
                        units.Number,
                        Query(f'min(luot_log_up{{service="api",{OF}}})'),
                        names=UP,
                        alerts=["LuotLogDown"],
                    ),
                ],
            ),
            Row(
                "Public numbers",
                [
                    graph(
                        "Time to answer",
                        "Readings of the numbers of a site: half, and 99% of them, are answered"
                        " within this time.",
                        units.Seconds,
                        Query(
                            "histogram_quantile(0.5, sum by (le)"
                            f" (rate(luot_request_seconds_bucket{{{COUNTER},{OF}}}[{RATE}])))",
                            "median",
                        ),
                        Query(
                            "histogram_quantile(0.99, sum by (le)"
                            f" (rate(luot_request_seconds_bucket{{{COUNTER},{OF}}}[{RATE}])))",
                            "99%",
                        ),
                    ),
                    graph(
                        "What the cache held",
                        "Readings of the numbers of a site by what the cache had. A rise of what"
                        " is not a hit is work for the store.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (outcome) (rate(luot_number_reads_total{{{OF}}}[{RATE}]))",
                            "{{outcome}}",
                        ),
                        stacked=True,
                    ),
                    graph(
                        "Old numbers",
                        "Answers from the last good numbers, by process.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (instance) (rate(luot_stale_answers_total{{{OF}}}[{RATE}]))",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Reads of counters",
                        "Reads of sites and pages from the store by their cause. Untold: no"
                        " aggregator says what changed, so each is read every second.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (cause) (rate(luot_value_reads_total{{{OF}}}[{RATE}]))",
                            "{{cause}}",
                        ),
                        stacked=True,
                    ),
                    graph(
                        "Missed changes",
                        "Numbers that had changed while nobody told of it: up to 15 s late.",
                        units.CountsPerSecond,
                        Query(
                            f"sum by (instance) (rate(luot_missed_changes_total{{{OF}}}[{RATE}]))",
                            "{{instance}}",
                        ),
                        also=["LuotChangesMissed"],
                    ),
                    graph(
                        "Partitions told of",
                        "Partitions of the log whose changes an aggregator tells, by process; the"
                        " sites of others are read every second.",
                        units.Number,
                        Query(
                            f"min by (instance) (luot_told_partitions{{{OF}}})",
                            "{{instance}}",
                        ),
                    ),
                ],
            ),
            *request_rows(),
            Row(
                "Doors",
                [
                    graph(
                        "Attempts to sign in",
                        "In an hour, by outcome. Many that fail are somebody who guesses; the"
                        " audit log has the names and addresses.",
                        units.Short,
                        Query(
                            f"sum by (outcome) (increase(luot_sign_ins_total{{{OF}}}[1h]))",
                            "{{outcome}}",
                        ),
                        span=12,
                    ),
                    refused_requests(span=12),
                ],
            ),
            machine(),
        ],
        processes("luot_number_reads_total"),
    )
