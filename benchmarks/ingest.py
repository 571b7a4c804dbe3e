"""Ingest under load: whole requests from a client on the network, answered when durable."""

from collections.abc import Iterator

from benchmarks import empty, portals, wrk
from benchmarks.http import Target, compare
from benchmarks.measure import Result, exact
from benchmarks.portals import View
from benchmarks.processes import SERVER_CORE, cpu_seconds, pin
from benchmarks.stack import publish, stack
from services.log import keys
from services.log.redis import entry_fields
from services.model.partition import DEFAULT_PARTITIONS
from tests.servers.redis import RedisServer

VIEWS = 20_000
INGEST = "ingest"


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure one process on one core against the empty application on the same core."""
    requests = [request(view) for view in portals.views(VIEWS)]
    with stack() as running, empty.running("bare") as bare, empty.running("limited") as limited:
        redis = running.redis()
        publish(redis, portals.sites())
        ingest = running.service("ingest", LUOT_REDIS_URL=redis.url)
        for process in (bare, limited):
            pin(process.pid, SERVER_CORE)
        before = cpu_seconds(redis.pid)
        results, answered = compare(
            [
                Target("empty application", bare.pid, bare.port, requests),
                Target("empty, with the limits of a service", limited.pid, limited.port, requests),
                Target(INGEST, ingest.pid, ingest.port, requests),
            ],
            seconds=2 if quick else 5,
            count=1 if quick else 5,
        )
        used = (cpu_seconds(redis.pid) - before) * 1e6 / answered
        yield from results
        yield exact("Redis: processor time", used, "µs/hit")
        yield from _log(redis, answered)


def request(view: View) -> bytes:
    """Return a hit as the proxy in front of ingest sends it."""
    headers = [
        ("Host", "thongke.example.vn"),
        ("User-Agent", view.agent),
        ("X-Forwarded-For", view.address),
        ("Content-Type", "text/plain"),
        ("Origin", f"https://{view.site}.example"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("Accept-Language", "vi-VN,vi;q=0.9,en;q=0.8"),
    ]
    return wrk.request("POST", "/e", headers, view.body())


def _log(redis: RedisServer, answered: int) -> Iterator[Result]:
    hits, entries, used = 0, 0, 0
    with redis.client() as client:
        for partition in range(DEFAULT_PARTITIONS):
            stream = keys.stream(partition)
            used += client.memory_usage(stream, samples=0) or 0
            for _, fields in client.xrange(stream):
                headers, _ = entry_fields.read(fields)
                hits += int(headers["n"])
                entries += 1
    # What was under way when the client stopped was appended, too.
    yield exact("accepted hits that are not in the log", max(0, answered - hits), "hits")
    yield exact("hits an entry of the log", hits / entries, "hits")
    yield exact("memory of Redis", used / hits, "bytes/hit")
