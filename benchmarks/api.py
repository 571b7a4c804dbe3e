"""The API under load: the numbers of sites that were just asked for, and of those that were not."""

import random
import time
from collections.abc import Iterator, Sequence
from statistics import median, quantiles

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import empty, portals, wrk
from benchmarks.history import History
from benchmarks.http import Target, compare
from benchmarks.measure import Result, exact
from benchmarks.processes import SERVER_CORE, cpu_seconds, pin
from benchmarks.stack import Stack, stack, stores
from services.api.counter.changes import NET_SECONDS
from tests.servers.services import Service

SITES = 1000
ASKED = 20_000
PATHS = 50
WARM_SECONDS = 5.0
"""Until all sites were asked for more than once: then they are read before anybody waits."""
READS = 200
SEED = 2026


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure one process on one core."""
    history = History(sites=SITES // (10 if quick else 1), days=365)
    kind = stores()[0]
    with stack() as running, empty.running("bare") as bare:
        api, pids = start(running, kind, history, told=True)
        pin(bare.pid, SERVER_CORE)
        counter = "/api/counter/portal-0"
        targets = [
            Target("empty application", bare.pid, bare.port, [get(counter)]),
            Target("counter of one site", api.pid, api.port, [get(counter)]),
            Target(f"{PATHS} pages of one site", api.pid, api.port, [get(with_paths(0))]),
            Target("badge of one site", api.pid, api.port, [get("/counter/portal-0.svg")]),
            Target(
                "counters of all sites",
                api.pid,
                api.port,
                popular(history.sites),
                WARM_SECONDS,
            ),
        ]
        results, _ = compare(
            [target for target in targets if _exists(target)],
            seconds=2 if quick else 4,
            count=1 if quick else 3,
        )
        yield from results
        yield exact(
            "reads of quiet sites that are asked for", quiet(api, history.sites), "/s a site"
        )
        fresh = NET_SECONDS + 1
        yield from cold(api, pids, history.sites, READS // (4 if quick else 1), fresh)


def start(
    running: Stack, kind: str, history: History, *, told: bool = False
) -> tuple[Service, list[int]]:
    """Start an API on a store with a history; return it, and the processes that a read costs.

    If it is `told`, an aggregator says what changes.
    """
    api, _, pids = running.api(kind, history.write, told=told)
    return api, pids


def get(target: str) -> bytes:
    """Return a request as a browser sends it."""
    headers = [
        ("Host", "thongke.example.vn"),
        ("User-Agent", portals.agents()[0]),
        ("Origin", "https://portal-0.example"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate, br"),
    ]
    return wrk.request("GET", target, headers)


def with_paths(site: int) -> str:
    """Return what a list page asks for: the views of its articles, in one call."""
    pages = "&".join(f"path=/tin-tuc/portal-{site}-bai-viet-so-{n}.html" for n in range(PATHS))
    return f"/api/counter/portal-{site}?{pages}"


def popular(sites: int) -> list[bytes]:
    """Return requests for the counters of many sites, popular after Zipf's law."""
    chosen = random.Random(SEED).choices(range(sites), cum_weights=portals.zipf(sites), k=ASKED)
    return [get(f"/api/counter/portal-{number}") for number in chosen]


def quiet(api: Service, sites: int) -> float:
    """Return how often a second each site is read while all are asked for and none changes."""
    with httpx.Client(base_url=api.url) as client:
        for lap in range(3):
            if lap == 1:  # the first one reads what the load before has not asked for
                before, started = _reads(client), time.monotonic()
            for number in range(sites):
                client.get(f"/api/counter/portal-{number}").raise_for_status()
        return (_reads(client) - before) / (time.monotonic() - started) / sites


def _reads(client: httpx.Client) -> float:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "luot_value_reads_total"
    )


def cold(
    api: Service, pids: Sequence[int], sites: int, reads: int, fresh: float = 1.1
) -> Iterator[Result]:
    """Ask for sites one by one that nobody has asked for in the last `fresh` seconds."""
    waited: list[float] = []
    cpu = 0.0
    with httpx.Client(base_url=api.url) as client:
        while len(waited) < reads:
            time.sleep(fresh)
            before = cpu_seconds(*pids)
            for number in range(min(sites, reads - len(waited))):
                started = time.perf_counter()
                client.get(f"/api/counter/portal-{number}").raise_for_status()
                waited.append((time.perf_counter() - started) * 1000)
            cpu += cpu_seconds(*pids) - before
    used = cpu * 1000 / reads
    yield exact("cold read: processor time of API and store", used, "ms")
    worst = quantiles(waited, n=100, method="inclusive")[98]
    for what, value in (("p50", median(waited)), ("p99", worst)):
        yield Result(
            what=f"cold read: {what}",
            value=value,
            unit="ms",
            low=min(waited),
            high=max(waited),
            runs=reads,
        )


def _exists(target: Target) -> bool:
    line = target.requests[0].split(b" ", 2)[1].decode()
    answer = httpx.get(f"http://127.0.0.1:{target.port}{line}")
    return answer.status_code < 400
