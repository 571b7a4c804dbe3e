"""An upgrade under load: what each step of docs/upgrade.md refuses, and for how long.

Hits and readings come at a constant rate through nginx, each on a connection that is kept. The
steps are those of a new version: every process ends by SIGTERM, another starts in its place.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx
import msgspec
import pytest

from benchmarks.measure import Result, exact
from benchmarks.stack import SERVER, stores
from tests.servers.nginx import Nginx
from tests.servers.services import Service
from tests.servers.system import BROWSER, TOKEN, System, wait_until_known

SITE = "demo"
HITS_A_SECOND = 50
READS_A_SECOND = 20
CLIENTS = 20
QUIET_SECONDS = 3.0
"""How long the load goes on after each step."""
ANSWER_SECONDS = 20.0


class Asked(msgspec.Struct, frozen=True):
    """A request: when it was sent, whether it was a hit, and whether it was answered."""

    at: float
    hit: bool
    taken: bool


class Pair(msgspec.Struct):
    """The processes of one kind, and the address that browsers use."""

    services: list[Service]
    front: Nginx

    def restart(self, number: int) -> None:
        """Replace one process, as an upgrade does: it is ready when this returns."""
        self.services[number].stop()
        self.services[number].start()


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure with one process of each kind, and with two."""
    if SERVER not in stores():
        pytest.skip("clickhouse-server is not installed")
    for count in (2,) if quick else (1, 2):
        yield from asyncio.run(_upgraded(count))


async def _upgraded(count: int) -> Sequence[Result]:
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        system, hits, numbers, aggregators = await asyncio.to_thread(_start, Path(folder), count)
        try:
            return await _measured(count, system, hits, numbers, aggregators)
        finally:
            for front in (hits.front, numbers.front):
                front.stop()
            for service in (*hits.services[1:], *numbers.services[1:], *aggregators[1:]):
                service.stop()
            system.stop()


def _start(folder: Path, count: int) -> tuple[System, Pair, Pair, list[Service]]:
    (folder / "clickhouse").mkdir()
    generous = {"LUOT_RATE_PER_MINUTE": "1000000", "LUOT_RATE_BURST": "1000000"}
    generous |= {"LUOT_ADDRESS_HITS": "2000000000", "LUOT_SALTS": f"{folder}/salts"}
    system = System(folder, **generous)
    system.start()
    system.add_site(SITE)
    store = {"LUOT_REDIS_URL": system.redis.url, "LUOT_CLICKHOUSE_URL": system.clickhouse.url}
    more: dict[str, list[Service]] = {"ingest": [], "api": [], "aggregator": []}
    for number in range(1, count):
        for name, services in more.items():
            place = folder / f"{name}-{number}"
            place.mkdir()
            own = {"LUOT_SPOOL": str(folder / "spool"), **generous} if name == "ingest" else store
            own = {**own, "LUOT_REDIS_URL": system.redis.url}
            token = {"LUOT_ADMIN_TOKEN": TOKEN} if name == "api" else {}
            services.append(Service(name, place, **own, **token).start())
    for service in more["ingest"]:
        wait_until_known(service.url, SITE)
    ingests, apis = [system.ingest, *more["ingest"]], [system.api, *more["api"]]
    return (
        system,
        Pair(ingests, Nginx(folder / "front", [one.port for one in ingests]).start()),
        Pair(apis, Nginx(folder / "numbers", [one.port for one in apis]).start()),
        [system.aggregator, *more["aggregator"]],
    )


async def _measured(
    count: int, system: System, hits: Pair, numbers: Pair, aggregators: list[Service]
) -> Sequence[Result]:
    named = "one of each" if count == 1 else "two of each"
    asked: list[Asked] = []
    results = []
    async with _load(hits.front.url, numbers.front.url, asked):
        for step, work in _steps(system, hits, numbers, aggregators):
            began, start = len(asked), time.monotonic()
            await asyncio.to_thread(work)
            took = time.monotonic() - start
            await asyncio.sleep(QUIET_SECONDS)
            of_step = asked[began:]
            refused = sum(not one.taken for one in of_step)
            results += [
                exact(f"{named}: {step}: it takes", took, "s"),
                exact(f"{named}: {step}: refused", refused, "requests"),
                exact(f"{named}: {step}: refuses for", _away(of_step), "s"),
            ]
    # A hit whose answer was lost may be counted: more than were answered, never fewer.
    taken = sum(one.taken for one in asked if one.hit)
    sent = sum(one.hit for one in asked)
    total = await asyncio.to_thread(_counted, system, taken)
    results.append(exact(f"{named}: answered and not counted", max(0, taken - total), "hits"))
    if total > sent:
        raise RuntimeError(f"{total} hits are counted, {sent} were sent")
    return results


def _steps(
    system: System, hits: Pair, numbers: Pair, aggregators: list[Service]
) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "migrate", partial(_migrate, system)
    for kind, pair in (("API", numbers), ("ingest", hits)):
        for number in range(len(pair.services)):
            yield f"{kind} {number + 1}", partial(pair.restart, number)
    for number, service in enumerate(aggregators):
        yield f"aggregator {number + 1}", partial(_again, service)


def _again(service: Service) -> None:
    service.stop()
    service.start()


def _migrate(system: System) -> None:
    environ = {key: value for key, value in os.environ.items() if key[:5] != "LUOT_"}
    subprocess.run(
        [sys.executable, "-m", "services.cli.main", "migrate"],
        env={**environ, "LUOT_CLICKHOUSE_URL": system.clickhouse.url},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _away(asked: Sequence[Asked]) -> float:
    """Return the time from the first request that was refused to the last one."""
    refused = [one.at for one in asked if not one.taken]
    return max(refused) - min(refused) if refused else 0.0


def _counted(system: System, taken: int) -> int:
    """Return the number of the site, once it is as high as it must be, or stays below."""
    deadline = time.monotonic() + 60
    while True:
        total = int(system.counter(SITE, metric="views")["total"])
        if total >= taken or time.monotonic() > deadline:
            return total
        time.sleep(0.2)


@contextlib.asynccontextmanager
async def _load(hits: str, numbers: str, asked: list[Asked]) -> AsyncIterator[None]:
    """Send hits and readings at a constant rate, whatever becomes of those before."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=CLIENTS)
    headers = {"User-Agent": BROWSER}
    async with httpx.AsyncClient(limits=limits, headers=headers, timeout=ANSWER_SECONDS) as client:

        async def ask(*, hit: bool, number: int) -> None:
            at = time.monotonic()
            try:
                if hit:
                    event = {"n": "pageview", "d": SITE, "u": f"https://{SITE}.example/{number}"}
                    who = {"X-Forwarded-For": f"203.0.113.{number % 250}"}
                    answer = await client.post(f"{hits}/e", json=event, headers=who)
                else:
                    answer = await client.get(f"{numbers}/api/counter/{SITE}")
                taken = answer.is_success
            except httpx.HTTPError:
                taken = False
            asked.append(Asked(at, hit, taken))

        async def send(rate: int, *, hit: bool) -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(1 << 30):
                    if stop.is_set():
                        return
                    group.create_task(ask(hit=hit, number=number % 50))
                    await asyncio.sleep(1 / rate)

        stop = asyncio.Event()
        senders = [
            asyncio.create_task(send(HITS_A_SECOND, hit=True)),
            asyncio.create_task(send(READS_A_SECOND, hit=False)),
        ]
        await asyncio.sleep(QUIET_SECONDS)
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*senders)
