"""What panels and rules ask is answered by a Prometheus that watches a whole Luot under load."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import promql_parser
import pytest

from dashboards import rules
from dashboards.__main__ import FOLDER
from dashboards.promql import metrics, parse
from services.store.meta import last_done
from services.store.open import open_store
from tests.servers.scraping import (
    Prometheus,
    PublicAddress,
    alertmanager,
    blackbox_exporter,
    node_exporter,
    probe,
    redis_exporter,
)
from tests.servers.system import BROWSER, System

# It starts a dozen programs, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

ENOUGH_SECONDS = 240
SITES = ("cailay", "mytho")
PROBED = "do-luot"

OLD_CLICKHOUSE = "Debian's ClickHouse 18.16 serves no metrics"
ABSENT_METRICS = {
    "ClickHouseProfileEvents_Query": OLD_CLICKHOUSE,
    "ClickHouseProfileEvents_FailedQuery": OLD_CLICKHOUSE,
    "ClickHouseProfileEvents_InsertedRows": OLD_CLICKHOUSE,
    "ClickHouseMetrics_MemoryTracking": OLD_CLICKHOUSE,
    "luot_store_free_bytes": "Debian's ClickHouse 18.16 does not tell its disks",
    "luot_store_disk_bytes": "Debian's ClickHouse 18.16 does not tell its disks",
}
"""Metrics that this Luot does not have, and why: what reads one of them returns nothing."""

YOUNG = "this Luot is not that old"
ABSENT_QUERIES = {
    'max(luot_site_online{site="cailay"} offset 1w)': YOUNG,
    "luot_spool_doubtful_hits_total offset 1h": YOUNG,
    "luot_spool_torn_bytes_total offset 1h": YOUNG,
    "luot_dead_entries_total offset 1h": YOUNG,
}
"""Queries that return nothing although their metrics are there, and why."""


@dataclass(frozen=True)
class Asked:
    """A query, and who asks it."""

    by: str
    expression: str


def load(system: System, stop: threading.Event) -> None:
    """Read pages and numbers as people, crawlers and mistaken portals do."""
    with httpx.Client(headers={"User-Agent": BROWSER}, timeout=120) as http:
        for number in range(1_000_000):
            site = SITES[number % len(SITES)]
            event = {"n": "pageview", "d": site, "u": f"https://{site}.example/{number % 50}"}
            headers = {"X-Forwarded-For": f"192.0.2.{number % 250}"}
            if number % 3 == 1:
                # So many that an alert fires, and the table of those has a row.
                event["d"] = "nosuchsite"
            if number % 10 == 7:
                headers["User-Agent"] = "Googlebot/2.1 (+http://www.google.com/bot.html)"
            http.post(f"{system.ingest.url}/api/event", json=event, headers=headers)
            http.get(f"{system.api.url}/api/counter/{site}")
            if stop.wait(0.02):
                return


async def note_what_was_done(store_url: str) -> None:
    """Note in the store what a backup, its verification and doctor note there."""
    now_ms = int(time.time() * 1000)
    values = {name: now_ms if name.endswith("_ms") else 0 for name in last_done.NAMES}
    store = open_store(store_url)
    try:
        await last_done.note(store, values)
    finally:
        await store.close()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    directory = tmp_path_factory.mktemp("watched")
    with ExitStack() as running:
        # A recount once a second, instead of once an hour.
        system = System(directory, redis_options=("--maxmemory", "256mb"), LUOT_DRIFT_SECONDS="1")
        running.callback(system.stop)
        system.start()
        public = PublicAddress(directory, system.ingest.url, system.api.url)
        running.enter_context(public)
        for site in SITES:
            system.add_site(site)
        system.add_site(PROBED, hosts=["127.0.0.1"])
        targets = {"public": f"{public.public_url}/counter.js"}
        for service in (system.ingest, system.aggregator, system.api):
            targets[f"luot-{service.name}"] = f"127.0.0.1:{service.port}"
        for job, watcher in {
            "luot-probe": probe(directory, public.public_url, PROBED, public.certificate),
            "alertmanager": alertmanager(directory),
            "blackbox": blackbox_exporter(directory, public.certificate),
            "node": node_exporter(directory),
            "redis": redis_exporter(directory, system.redis.url),
        }.items():
            targets[job] = running.enter_context(watcher).address
        stop = threading.Event()
        loading = threading.Thread(target=load, args=(system, stop))
        loading.start()
        running.callback(loading.join)
        running.callback(stop.set)
        asyncio.run(note_what_was_done(system.clickhouse.url))
        watching = running.enter_context(Prometheus(directory, targets))
        # All that there is to scrape has been, and ClickHouse 18.16 in vain.
        wait_until(lambda: watching.values(f"count(up) == {len(targets) + 1}"))
        yield watching


# What is asked


def of_panels(prometheus: Prometheus) -> list[Asked]:
    """Return the queries of all dashboards, with the variables that Grafana would put in."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        board = json.loads(path.read_text("utf-8"))
        chosen = {"__rate_interval": "1m"}
        for variable in board.get("templating", {}).get("list", []):
            if variable["type"] == "query":
                chosen[variable["name"]] = choose(prometheus, variable, chosen)
        asked = [(annotation["name"], annotation["expr"]) for annotation in annotations(board)]
        asked += [
            (panel["title"], target["expr"])
            for panel in board["panels"]
            for target in panel.get("targets", [])
        ]
        found += [
            Asked(f"{path.stem}: {title}", put_in(expression, chosen))
            for title, expression in asked
        ]
    return found


def annotations(board: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = board.get("annotations", {}).get("list", [])
    return found


def wait_until(answer: Callable[[], list[Any]]) -> list[Any]:
    """Return the first answer that is not empty, or the last one when the time is over."""
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not (found := answer()) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found
    return found


def choose(prometheus: Prometheus, variable: dict[str, Any], chosen: dict[str, str]) -> str:
    """Return what Grafana puts in for a variable: one value, or a pattern of all of them."""
    asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
    assert asked, variable["query"]
    selector, label = put_in(asked[1], chosen), asked[2]
    values = wait_until(lambda: prometheus.label_values(selector, label))
    return "(" + "|".join(values) + ")" if variable["includeAll"] else values[0]


def put_in(expression: str, chosen: dict[str, str]) -> str:
    for name, value in chosen.items():
        expression = re.sub(rf"\${name}\b", value.replace("\\", r"\\"), expression)
    assert "$" not in expression.replace('"$1"', ""), expression
    return expression


def of_rules() -> list[Asked]:
    """Return what rules ask. Of an alert, what it measures: a Luot that is well has no alerts."""
    found = [Asked(record.name, record.expression) for record in rules.records()]
    for alert in rules.alerts().values():
        found += [Asked(alert.name, part) for part in measured(parse(alert.expression))]
    return found


def measured(tree: Any) -> Iterator[str]:
    """Return the parts of an alert's expression that have a value while all is well."""
    if isinstance(tree, promql_parser.ParenExpr):
        yield from measured(tree.expr)
    elif isinstance(tree, promql_parser.Call) and tree.func.name == "absent":
        yield tree.args[0].prettify()
    elif isinstance(tree, promql_parser.BinaryExpr) and str(tree.op) in {"and", "or", "unless"}:
        yield from measured(tree.lhs)
        yield from measured(tree.rhs)
    elif isinstance(tree, promql_parser.BinaryExpr) and str(tree.op) in {
        ">",
        "<",
        "==",
        ">=",
        "<=",
    }:
        yield tree.lhs.prettify()
    else:
        yield tree.prettify()


def why_not(asked: Asked) -> str | None:
    """Return why a query returns nothing, if that is how it should be."""
    for name in sorted(metrics(asked.expression)):
        if name in ABSENT_METRICS:
            return ABSENT_METRICS[name]
    return ABSENT_QUERIES.get(asked.expression)


# The tests


def test_every_query_of_panels_and_rules_returns_something(prometheus: Prometheus) -> None:
    waiting = [one for one in [*of_panels(prometheus), *of_rules()] if not why_not(one)]
    assert len(waiting) > 100
    deadline = time.monotonic() + ENOUGH_SECONDS
    while waiting := [one for one in waiting if not prometheus.values(one.expression)]:
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    assert not waiting, "\n".join(f"{one.by}: {one.expression}" for one in waiting)


def test_what_is_listed_as_absent_is_absent(prometheus: Prometheus) -> None:
    asked = {one.expression for one in [*of_panels(prometheus), *of_rules()]}
    read = {name for expression in asked for name in metrics(expression)}
    assert set(ABSENT_METRICS) <= read
    assert set(ABSENT_QUERIES) <= asked
    assert [one for one in (*ABSENT_METRICS, *ABSENT_QUERIES) if prometheus.values(one)] == []


def test_every_alert_can_be_evaluated(prometheus: Prometheus) -> None:
    for alert in rules.alerts().values():
        prometheus.values(alert.expression)
    assert wait_until(
        lambda: prometheus.values('ALERTS{alertname="LuotForeignHits",alertstate="firing"}')
    )
