"""The first dashboard: what is wrong, are the promises kept, do the portals have readers."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import overview_room, rules
from dashboards.advice import RUNBOOK
from dashboards.board import OVERVIEW, Row, board
from dashboards.panels import Column, Panel, Query, graph, rows, value
from dashboards.shared import COUNTER, RATE, UP


def dashboard() -> Dashboard:
    """Return it."""
    return board(
        OVERVIEW,
        "Luot: overview",
        "Read from the top: what is wrong and what to type first; whether the promises are kept;"
        " whether the portals have readers; whether there is room for tomorrow.",
        [
            Row("What is wrong", [*_lights(), _firing(), _processes()]),
            Row("The promises, over time", _promises()),
            Row("Portals", _portals()),
            Row("Traffic", _traffic()),
            Row("Room, and care", overview_room.panels()),
        ],
    )


def _lights() -> list[Panel]:
    """Return the line that is read first."""
    return [
        value(
            "Pages",
            "Alerts that wake somebody, and fire now: hits are being lost or late, or numbers are"
            " hidden.",
            units.Short,
            Query('count(ALERTS{alertstate="firing",severity="page"}) or vector(0)'),
            limits=[(1, "red")],
        ),
        value(
            "Tickets",
            "Alerts that have time until the morning.",
            units.Short,
            Query('count(ALERTS{alertstate="firing",severity="ticket"}) or vector(0)'),
            limits=[(1, "orange")],
        ),
        value(
            "Oldest hit not counted",
            "Age of the oldest hit that was accepted and is not in the numbers, wherever it waits:"
            " in a spool, in the log, before the store. 0 to 2 seconds are normal.",
            units.Seconds,
            Query("max(luot_uncounted_age_seconds)"),
            alerts=["LuotHitsNotCounted"],
            also=["LuotAggregatorDown"],
            opens="luot-log",
        ),
        value(
            "Hits refused, last hour",
            "Share of hits that neither the log nor a spool took (503): they are lost. 0.1% is"
            " promised.",
            units.PercentUnit,
            Query("luot:ingest_failed:ratio_rate1h"),
            alerts=["LuotIngestBudgetBurnsFast"],
            also=["LuotIngestDown"],
            decimals=2,
            opens="luot-ingest",
        ),
        value(
            "Numbers not answered, last hour",
            "Share of readings of the public numbers that failed (5xx). 0.1% is promised.",
            units.PercentUnit,
            Query("luot:counter_failed:ratio_rate1h"),
            alerts=["LuotCounterBudgetBurnsFast"],
            also=["LuotApiDown"],
            decimals=2,
            opens="luot-api",
        ),
        value(
            "Late hits, last hour",
            "Share of hits that took longer than 2.5 s from the log into the store. 1% is"
            " promised.",
            units.PercentUnit,
            Query("luot:freshness_late:ratio_rate1h"),
            alerts=["LuotFreshnessBudgetBurnsFast"],
            decimals=2,
            opens="luot-log",
        ),
    ]


def _firing() -> Panel:
    return rows(
        "Alerts that fire, and what to type first",
        "Pages first. The name of an alert leads to the runbook, which says what happened, what it"
        " does to readers and portals, and what to do.",
        units.Number,
        Query(
            "label_replace(max by (alertname, severity, job, instance, service)"
            ' (ALERTS{alertstate="firing",severity=~"page|ticket"}),'
            ' "first", "$1", "alertname", "(.+)")'
        ),
        columns=[
            Column("severity", "Severity", width=90),
            Column("alertname", "Alert", link=("Runbook", f"/d/{RUNBOOK}"), width=230),
            Column(
                "first",
                "Type first",
                names={alert.name: alert.command for alert in rules.alerts().values()},
            ),
            Column("job", "Job", width=120),
            Column("instance", "Instance", width=150),
            Column("service", "Service", width=90),
        ],
        sort="Severity",
        descending=False,
        nothing="nothing fires",
        span=16,
    )


def _processes() -> Panel:
    return value(
        "Processes",
        "Whether each process of Luot answers Prometheus.",
        units.Number,
        Query('up{job=~"luot.*"}', "{{job}} {{instance}}"),
        names=UP,
        alerts=["LuotInstanceDown"],
        also=["LuotRestarts"],
        span=8,
        height=8,
    )


def _promises() -> list[Panel]:
    return [
        graph(
            "Oldest hit not counted",
            "Where the line climbs with the clock, nothing is counted; the dashboards of ingest,"
            " and of log and aggregator, say where it waits.",
            units.Seconds,
            Query("max by (service) (luot_uncounted_age_seconds)", "known to {{service}}"),
            alerts=["LuotHitsNotCounted"],
        ),
        graph(
            "From the log into the store",
            "99% of the hits take less than this from the log into the store; 2.5 s is promised,"
            " until the number on the page.",
            units.Seconds,
            Query("luot:freshness_seconds:p99_rate5m", "99%"),
        ),
        graph(
            "From outside: hit to number",
            "The probe sends a hit through the public address and waits for the number to show it.",
            units.Seconds,
            Query("luot_probe_seconds", "{{instance}}"),
        ),
        value(
            "Hits of the probe that were counted",
            "Within five minutes; it sends one a minute.",
            units.Short,
            Query('sum without (outcome) (increase(luot_probes_total{outcome="ok"}[5m]))'),
            alerts=["LuotProbeFails"],
            decimals=0,
        ),
        value(
            "Last hit of the probe counted",
            "How long ago a hit of the probe last reached its number.",
            units.Seconds,
            Query("time() - max(luot_probe_last_success_timestamp_seconds)"),
            colour="blue",
        ),
        value(
            "The public address answers",
            "The script is fetched through the public address, over TLS, as a browser does.",
            units.Number,
            Query('min by (instance) (probe_success{job="blackbox"})', "{{instance}}"),
            names=UP,
            alerts=["PublicAddressDown"],
        ),
        value(
            "Hits refused, last day",
            "Share of hits that neither the log nor a spool took. 0.1% is promised; the colour is"
            " that of a slow burn.",
            units.PercentUnit,
            Query("luot:ingest_failed:ratio_rate1d"),
            alerts=["LuotIngestBudgetBurnsSlowly"],
            decimals=3,
        ),
        value(
            "Numbers not answered, last day",
            "Share of readings that failed. 0.1% is promised; the colour is that of a slow burn.",
            units.PercentUnit,
            Query("luot:counter_failed:ratio_rate1d"),
            alerts=["LuotCounterBudgetBurnsSlowly"],
            decimals=3,
        ),
        value(
            "Late hits, last day",
            "Share of hits that took longer than 2.5 s. 1% is promised; the colour is that of a"
            " slow burn.",
            units.PercentUnit,
            Query("luot:freshness_late:ratio_rate1d"),
            alerts=["LuotFreshnessBudgetBurnsSlowly"],
            decimals=2,
        ),
    ]


def _portals() -> list[Panel]:
    return [
        rows(
            "Portals",
            "The LUOT_SITE_METRICS sites with the most views: who is online, views as the page"
            " may show them, and how long ago the last one came. A name opens its dashboard.",
            units.Short,
            Query("max by (site) (luot_site_online)"),
            Query('max by (site) (luot_site_views{period="today"})'),
            Query('max by (site) (luot_site_views{period="this_month"})'),
            Query("time() - max by (site) (luot_site_last_hit_timestamp_seconds)"),
            key="site",
            columns=[
                Column("site", "Site", link=("Open", "/d/luot-site?var-site=${__value.raw}")),
                Column("A", "Online"),
                Column("B", "Views today"),
                Column("C", "Views this month"),
                Column("D", "Since the last view", unit=units.Seconds),
            ],
            sort="Views today",
            span=12,
        ),
        graph(
            "Visitors online",
            "Of all sites in the table, and of the ten with the most.",
            units.Short,
            Query("sum(max by (site) (luot_site_online))", "all of them"),
            Query("topk(10, max by (site) (luot_site_online))", "{{site}}"),
        ),
        value(
            "Silent portals",
            "Sites that had views on each of the last seven days and have had none for"
            " LUOT_SILENT_SECONDS of their daytime: the script is gone from the page, or the"
            " portal is down.",
            units.Short,
            Query("max(luot_silent_sites)"),
            alerts=["LuotSitesSilent"],
            height=8,
        ),
    ]


def _traffic() -> list[Panel]:
    return [
        graph(
            "Hits by outcome",
            "`accepted` is counted, `tagged` are bots, `dropped` has a reason (dashboard of"
            " ingest), `unavailable` is lost.",
            units.CountsPerSecond,
            Query("luot:hits:rate5m", "{{outcome}}"),
            stacked=True,
            also=["LuotNoHits"],
        ),
        graph(
            "Readings of public numbers",
            "By the code of the answer. What a browser or a proxy kept does not come here.",
            units.RequestsPerSecond,
            Query(
                f"sum by (code) (rate(luot_request_seconds_count{{{COUNTER}}}[{RATE}]))",
                "{{code}}",
            ),
            stacked=True,
        ),
        graph(
            "99% of the readings are answered within",
            "Time to answer a reading of the public numbers.",
            units.Seconds,
            Query("luot:counter_seconds:p99_rate5m", "99%"),
            alerts=["LuotCounterSlow"],
        ),
    ]
