"""The goals, and what was measured against them, as a table for docs/performance.md."""

from collections.abc import Iterator, Mapping

import msgspec

from benchmarks.results import Report

AT_LEAST = "at least"
UNDER = "under"


class Goal(msgspec.Struct, frozen=True):
    """One goal: a result of a subject, and its bound.

    take   'value' of the result, or its 'times' the ceiling
    at     another result of the subject that must be at least so high, or else the goal was
           measured at less than it asks for
    """

    text: str
    subject: str
    what: str
    bound: str
    limit: float
    unit: str
    take: str = "value"
    at: tuple[str, float] | None = None

    def measured(self, reports: Mapping[str, Report]) -> float | None:
        """Return what was measured; None when it was not."""
        report = reports.get(self.subject)
        found = report.find(self.what) if report else None
        if found is None:
            return None
        return found.times if self.take == "times" else found.value

    def reached(self, reports: Mapping[str, Report]) -> bool:
        """Tell whether it was measured at what it asks for."""
        found = reports[self.subject].find(self.at[0]) if self.at else None
        return self.at is None or (found is not None and found.value >= self.at[1])

    def is_met(self, value: float) -> bool:
        """Tell whether a value is within the bound."""
        return value >= self.limit if self.bound == AT_LEAST else value < self.limit


GOALS = (
    Goal(
        "ingest, share of the empty application, by processor time",
        "ingest", "ingest: share of the ceiling by processor time", AT_LEAST, 0.7, "×",
    ),
    Goal(
        "ingest, share of the empty application, by the clock",
        "ingest", "ingest: answers", AT_LEAST, 0.6, "×", "times",
    ),
    Goal("ingest, p99 at 64 connections", "ingest", "ingest: p99", UNDER, 25, "ms"),
    Goal(
        "accepted hits that were lost",
        "ingest", "accepted hits that are not in the log", UNDER, 1, "hits",
    ),
    Goal(
        "aggregator, entries of 50, server store",
        "aggregator", "server, 50 hits an entry: committed", AT_LEAST, 250_000, "hits/s",
    ),
    Goal(
        "the same by processor time",
        "aggregator",
        "server, 50 hits an entry: processor time, aggregator",
        UNDER,
        1.5,
        "µs/hit",
    ),
    Goal(
        "the same with the fold in Python",
        "aggregator",
        "server, 50 hits an entry, fold in Python: processor time, aggregator",
        UNDER,
        3.3,
        "µs/hit",
    ),
    Goal(
        "aggregator, entries of 50, server store, share of the slower of its ceilings",
        "aggregator", "server, 50 hits an entry: committed", AT_LEAST, 0.5, "×", "times",
    ),
    Goal(
        "aggregator, entries of 50, server store, share of decode and insert alone",
        "aggregator",
        "server, 50 hits an entry: decode and insert alone, of the aggregator",
        AT_LEAST,
        0.4,
        "×",
    ),
    Goal(
        "aggregator, entries of 8, server store, by processor time",
        "aggregator",
        "server, 8 hits an entry: processor time, aggregator",
        UNDER,
        3,
        "µs/hit",
    ),
    Goal(
        "aggregator, entries of 50, embedded store, by processor time",
        "aggregator",
        "embedded, 50 hits an entry: processor time, aggregator",
        UNDER,
        4,
        "µs/hit",
    ),
    Goal(
        "aggregator, entries of 50, embedded store, share of the slower of its ceilings",
        "aggregator", "embedded, 50 hits an entry: committed", AT_LEAST, 0.5, "×", "times",
    ),
    Goal(
        "backlog of 2 million hits, server store, from the start of the process",
        "aggregator", "server, 2 million hits: caught up from the start on", UNDER, 25, "s",
    ),
    Goal(
        "the same, embedded store",
        "aggregator", "embedded, 2 million hits: caught up from the start on", UNDER, 25, "s",
    ),
    Goal(
        "counter JSON, share of the empty application, by processor time",
        "api", "counter of one site: share of the ceiling by processor time", AT_LEAST, 0.6, "×",
    ),
    Goal(
        "counter JSON, share of the empty application, by the clock",
        "api", "counter of one site: answers", AT_LEAST, 0.6, "×", "times",
    ),
    Goal("counter JSON, p99 at 64 connections", "api", "counter of one site: p99", UNDER, 10, "ms"),
    Goal("the same over 1,000 sites", "api", "counters of all sites: p99", UNDER, 10, "ms"),
    Goal(
        "the same, times that of the empty application",
        "api", "counters of all sites: p99", UNDER, 1.5, "×", "times",
    ),
    Goal(
        "reads of the store of a site whose numbers do not change",
        "api", "reads of quiet sites that are asked for", UNDER, 0.2, "/s",
    ),
    Goal(
        "the same, of 1,000 sites of which 10 change every second",
        "busy_sites", "10 sites busy: reads of one of the others", UNDER, 0.2, "/s",
        at=("10 sites busy: sites", 1_000),
    ),
    Goal(
        "reads of the store of one of these 10",
        "busy_sites", "10 sites busy: reads of one of them", UNDER, 1.5, "/s",
        at=("10 sites busy: sites", 1_000),
    ),
    Goal(
        "a read after 10 years of history, times that after one",
        "growth", "10 years of history: times the smallest", UNDER, 1.5, "×",
    ),
    Goal(
        "a read among 10,000 sites, times that among 10",
        "growth", "10000 sites: times the smallest", UNDER, 1.5, "×",
    ),
    Goal(
        "a counter read after a year of a province with 40 million hits, times that of an empty"
        " store",
        "year", "12 months: counter read", UNDER, 1.3, "×", "times",
        at=("12 months: hits of the year", 39_000_000),
    ),
    Goal(
        "the same, with one part a table",
        "year", "12 months: counter read, with one part a table", UNDER, 1.3, "×", "times",
        at=("12 months: hits of the year", 39_000_000),
    ),
    Goal(
        "slowest panel of a year of 5 million hits, server store",
        "stats", "server, 5 million hits: slowest panel", UNDER, 1000, "ms",
    ),
    Goal(
        "the same, embedded store",
        "stats", "embedded, 5 million hits: slowest panel", UNDER, 1000, "ms",
    ),
    Goal(
        "slowest page of all rows of a panel, of a year of 5 million hits, server store",
        "stats", "server, 5 million hits: slowest of all rows", UNDER, 1000, "ms",
    ),
    Goal(
        "the same, embedded store",
        "stats", "embedded, 5 million hits: slowest of all rows", UNDER, 1000, "ms",
    ),
    Goal(
        "table of 160 sites with a year of 13 million views against the year before, server store",
        "table", "server: table of 160 sites, a year against the year before",
        UNDER, 1000, "ms",
    ),
    Goal(
        "the same, embedded store",
        "table", "embedded: table of 160 sites, a year against the year before",
        UNDER, 1000, "ms",
    ),
    Goal(
        "slowest report of 200 sites over a month of 3 million hits, server store",
        "reports", "server, 200 sites, 3 million hits: slowest report",
        UNDER, 10, "s",
    ),
    Goal(
        "the same, embedded store",
        "reports", "embedded, 200 sites, 3 million hits: slowest report",
        UNDER, 10, "s",
    ),
    Goal(
        "freshness at 1,000 hits/s, p99, `luot up`",
        "freshness", "luot up, 1000 hits/s: p99", UNDER, 1.2, "s",
        at=("luot up, 1000 hits/s: really counted", 900),
    ),
    Goal(
        "freshness at 1,000 hits/s, p99, services",
        "freshness", "services, 1000 hits/s: p99", UNDER, 1.2, "s",
        at=("services, 1000 hits/s: really counted", 900),
    ),
    Goal(
        "freshness at 5,000 hits/s, p99, services",
        "freshness", "services, 5000 hits/s: p99", UNDER, 1.3, "s",
        at=("services, 5000 hits/s: really counted", 4500),
    ),
    Goal(
        "numbers after `kill -9` of an ingest, worst, Redis",
        "kills", "Redis: age, an ingest, worst", UNDER, 5, "s",
    ),
    Goal(
        "new hits count after kill -9 of the only aggregator, from its start",
        "takeover",
        "3 million hits in the log and 5,000 a second, a lease of 9 s has run out: new hits count,"
        " with kept folds",
        UNDER,
        3,
        "s",
        at=("hits really sent meanwhile", 4_500),
    ),
    Goal(
        "partitions of a killed aggregator taken over, worst, Redis",
        "kills", "Redis: partitions taken over, worst", UNDER, 10, "s",
    ),
    Goal(
        "numbers after `kill -9` of an ingest, worst, one Kafka broker",
        "kills", "one Kafka broker: age, an ingest, worst", UNDER, 5, "s",
    ),
    Goal(
        "partitions of a killed aggregator taken over, worst, one Kafka broker",
        "kills", "one Kafka broker: partitions taken over, worst", UNDER, 10, "s",
    ),
    Goal(
        "numbers after `kill -9` of an ingest, worst, three Kafka brokers",
        "kills", "three Kafka brokers: age, an ingest, worst", UNDER, 5, "s",
    ),
    Goal(
        "partitions of a killed aggregator taken over, worst, three Kafka brokers",
        "kills", "three Kafka brokers: partitions taken over, worst", UNDER, 10, "s",
    ),
    Goal(
        "an aggregator on one core with the log in Kafka, of what it commits with Redis",
        "logs", "Kafka, 1 aggregator", AT_LEAST, 0.8, "×", "times",
    ),
    Goal("Redis, under load", "ingest", "memory of Redis", UNDER, 100, "bytes/hit"),
    Goal("Redis, one hit an entry", "size", "Redis, 1 hits an entry", UNDER, 120, "bytes/hit"),
    Goal("raw table, server", "size", "server, table hits", UNDER, 40, "bytes/hit"),
    Goal("raw table, embedded", "size", "embedded, table hits", UNDER, 40, "bytes/hit"),
    Goal("memory of `luot up`, idle", "memory", "luot up, idle", UNDER, 600, "MB"),
    Goal("memory of ingest", "memory", "ingest, after load", UNDER, 90, "MB"),
    Goal("memory of the API", "memory", "api, after load", UNDER, 120, "MB"),
    Goal(
        "memory of the aggregator, 200,000 hot rows",
        "memory", "aggregator, 200000 hot rows", UNDER, 300, "MB",
    ),
    Goal(
        "memory of a visitor remembered, of a million",
        "visitors", "fold in C: a visitor, of 1,000,000 remembered", UNDER, 80, "bytes",
    ),
    Goal(
        "memory of a counter row held, of 200,000",
        "visitors", "fold in C: a counter row, of 200,000 held", UNDER, 100, "bytes",
    ),
    Goal("`luot up` ready", "memory", "luot up ready", UNDER, 2.5, "s"),
    Goal(
        "a page with Luot on a slow machine, first content",
        "loading", "with Luot: first content", UNDER, 3_000, "ms",
    ),
    Goal(
        "a page with Luot on a slow machine, largest content",
        "loading", "with Luot: largest content", UNDER, 4_000, "ms",
    ),
    Goal(
        "a page with Luot on a slow machine, all of it",
        "loading", "with Luot: all", UNDER, 5_800, "ms",
    ),
    Goal(
        "a page with Luot on a slow machine, longest task",
        "loading", "with Luot: longest task", UNDER, 600, "ms",
    ),
)  # fmt: skip


def table(reports: Mapping[str, Report]) -> Iterator[str]:
    """Return the lines of a Markdown table."""
    yield "| what | goal | measured | met |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        value = goal.measured(reports)
        shown, met = ("not measured", "")
        if value is not None:
            shown, met = beside(value, goal), "yes" if goal.is_met(value) else "**no**"
            if not goal.reached(reports):
                met = "**load not reached**"
        yield f"| {goal.text} | {goal.bound} {number(goal.limit, goal.unit)} | {shown} | {met} |"


def beside(value: float, goal: Goal) -> str:
    """Return a value with a digit more where it would look the same as its limit."""
    shown = number(value, goal.unit)
    if shown == number(goal.limit, goal.unit) and value != goal.limit:
        return f"{value:.3g} {goal.unit}"
    return shown


def number(value: float, unit: str) -> str:
    """Return a value with as many digits as mean something."""
    whole = value >= 99.5 or value == int(value)
    return f"{value:,.0f} {unit}" if whole else f"{value:.2g} {unit}"
