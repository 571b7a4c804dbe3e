"""Reads of the store by the API while a few of its sites have visitors: those that changed.

All sites are asked for again and again. Every fifth of a second, each busy site has a view.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import aggregator, backlog, portals
from benchmarks.api import SITES
from benchmarks.history import History
from benchmarks.measure import Result, exact
from benchmarks.processes import spread
from benchmarks.stack import SERVER, TOKEN, stack, stores
from services.api.counter.changes import CHANGED, NET_SECONDS

BUSY = 10
PAUSE_SECONDS = 0.2
DAYS = 30
WARM_SECONDS = NET_SECONDS + 5
"""Until every site was read once, and the aggregator tells what changes."""
SECONDS = 60.0
QUICK_SECONDS = 5.0


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure one API beside one aggregator."""
    if SERVER not in stores():
        pytest.skip("clickhouse-server is not installed")
    sites = SITES // (10 if quick else 1)
    with stack() as running:
        redis, (url, _) = running.redis(), running.store(SERVER)
        asyncio.run(History(sites=sites, days=DAYS, pages=0).write(url))
        api = running.service(
            "api", LUOT_REDIS_URL=redis.url, LUOT_CLICKHOUSE_URL=url, LUOT_ADMIN_TOKEN=TOKEN
        )
        worker = aggregator.start(running, redis, url)
        for service in (api, worker):
            spread(service.pid)
        views = [
            portals.View(f"portal-{number}", "/", portals.agents()[0], f"10.0.0.{number}", "")
            for number in range(BUSY)
        ]
        with (
            backlog.sending(redis.url, BUSY / PAUSE_SECONDS, 1, views),
            httpx.Client(base_url=api.url) as client,
        ):
            _ask(client, sites, WARM_SECONDS)
            before, started = _reads(client), time.monotonic()
            _ask(client, sites, QUICK_SECONDS if quick else SECONDS)
            after, seconds = _reads(client), time.monotonic() - started
    reads = {cause: (after[cause] - before.get(cause, 0)) / seconds for cause in after}
    changed = reads.pop(CHANGED, 0)
    if not changed:
        raise RuntimeError("the API was told of no change")
    named = f"{BUSY} sites busy"
    yield exact(f"{named}: sites", sites, "sites")
    yield exact(f"{named}: reads of one of them", changed / BUSY, "/s")
    yield exact(f"{named}: reads of one of the others", sum(reads.values()) / (sites - BUSY), "/s")
    yield exact(f"{named}: reads of all sites", changed + sum(reads.values()), "/s")


def _ask(client: httpx.Client, sites: int, seconds: float) -> None:
    """Ask for every site in turn, lap by lap."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number in range(sites):
            client.get(f"/api/counter/portal-{number}").raise_for_status()


def _reads(client: httpx.Client) -> Mapping[str, float]:
    return reads_by_cause(client.get("/metrics").text)


def reads_by_cause(metrics: str) -> dict[str, float]:
    """Return how often the counters of a site were read from the store, by cause."""
    return {
        sample.labels["cause"]: sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == "luot_value_reads_total"
    }
