"""Rows and panels that several dashboards have."""

from grafana_foundation_sdk.models import units

from dashboards.board import Row
from dashboards.panels import Panel, Query, graph

OF = 'job=~"$job",instance=~"$instance"'
"""The processes that were chosen."""

RATE = "$__rate_interval"

UP = {"0": "down", "1": "up"}

COUNTER = 'route="/api/counter/{site}"'
"""Readings of the public numbers of a site."""


def request_rows() -> list[Row]:
    """Return what there is to know about the requests of a service."""
    seconds = "luot_request_seconds"
    return [
        Row(
            "Requests",
            [
                graph(
                    "Requests by answer",
                    "Requests a second by the code of the answer; /metrics and the probes of"
                    " health are left out.",
                    units.RequestsPerSecond,
                    Query(f"sum by (code) (rate({seconds}_count{{{OF}}}[{RATE}]))", "{{code}}"),
                    stacked=True,
                ),
                graph(
                    "Requests by route",
                    "Requests a second by the template of their path.",
                    units.RequestsPerSecond,
                    Query(
                        f"sum by (route, method) (rate({seconds}_count{{{OF}}}[{RATE}])) > 0",
                        "{{method}} {{route}}",
                    ),
                    stacked=True,
                ),
                graph(
                    "Time to answer",
                    "99% of the requests of a route are answered within this time. A route that"
                    " nobody asks has no value.",
                    units.Seconds,
                    Query(
                        "histogram_quantile(0.99, sum by (le, route)"
                        f" (rate({seconds}_bucket{{{OF}}}[{RATE}])))",
                        "{{route}}",
                    ),
                ),
            ],
        )
    ]


def refused_requests(span: int = 8) -> Panel:
    """Return the graph of connections that ended before there was a request."""
    return graph(
        "Connections closed",
        "Connections closed on a broken, huge or slow request, by reason. They are in no other"
        " number.",
        units.CountsPerSecond,
        Query(f"sum by (reason) (rate(luot_refused_requests_total{{{OF}}}[{RATE}]))", "{{reason}}"),
        span=span,
    )


def machine() -> Row:
    """Return what a service takes of its machine."""
    return Row(
        "Process",
        [
            graph(
                "Processor",
                "Cores that each process uses. A service is one thread for requests: near 1 it"
                " is at its limit, and another process is due.",
                units.PercentUnit,
                Query(f"rate(process_cpu_seconds_total{{{OF}}}[{RATE}])", "{{instance}}"),
            ),
            graph(
                "Memory",
                "Resident memory of each process.",
                units.BytesIEC,
                Query(f"process_resident_memory_bytes{{{OF}}}", "{{instance}}"),
            ),
            graph(
                "Open files",
                "Connections and files of each process, as a share of what it may open.",
                units.PercentUnit,
                Query(
                    f"process_open_fds{{{OF}}} / process_max_fds{{{OF}}}",
                    "{{instance}}",
                ),
            ),
        ],
    )
