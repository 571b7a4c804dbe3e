"""Freshness: from sending a hit to the first public answer that has it, while others send too."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles

import httpx
import msgspec

from benchmarks import workload
from benchmarks.measure import Result, exact
from benchmarks.stack import SERVER, stores
from tests.servers.system import System
from tests.servers.up import Up

RATES = (10, 1_000, 5_000)
UP_RATE = 1_000
PROBES_A_SECOND = 5
POLL_SECONDS = 0.05
LEAD_SECONDS = 4
"""How long the others send before the probes, and at least after them."""
LONGEST_SECONDS = 30.0
SITE = "demo"
PROBED = "demo.example"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"


class Place(msgspec.Struct, frozen=True):
    """Where hits go, and where numbers come from."""

    ingest: str
    api: str


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure with everything on this machine: the senders cost it time, too."""
    seconds = 5 if quick else 30
    with _up() as place:
        yield from _at(place, "luot up", UP_RATE, seconds)
    if SERVER in stores():
        with _services() as place:
            for rate in RATES[:2] if quick else RATES:
                yield from _at(place, "services", rate, seconds)


def _at(place: Place, name: str, rate: int, seconds: int) -> Iterator[Result]:
    with _load(place.ingest, rate, seconds):
        before, started = _views(place), time.monotonic()
        waited = asyncio.run(_probe(place, seconds * PROBES_A_SECOND))
        others = (_views(place) - before - len(waited)) / (time.monotonic() - started)
    named = f"{name}, {rate} hits/s"
    yield exact(f"{named}: really counted", others, "hits/s")
    yield _result(f"{named}: p50", waited, median(waited))
    worst = quantiles(waited, n=100, method="inclusive")[98]
    yield msgspec.structs.replace(
        _result(f"{named}: p99", waited, worst), curve=f"freshness of {name}", at=rate
    )


def _views(place: Place) -> int:
    answer = httpx.get(f"{place.api}/api/counter/{SITE}", params={"metric": "views"}).json()
    return int(answer["total"])


def _result(what: str, waited: Sequence[float], value: float) -> Result:
    return Result(
        what=what, value=value, unit="s", low=min(waited), high=max(waited), runs=len(waited)
    )


async def _probe(place: Place, count: int) -> list[float]:
    async with httpx.AsyncClient(headers={"User-Agent": BROWSER}) as client:
        waiting = []
        for number in range(count):
            path = f"/probe/{time.time_ns()}-{number}"
            waiting.append(asyncio.create_task(_wait(client, place, path)))
            await asyncio.sleep(1 / PROBES_A_SECOND)
        return list(await asyncio.gather(*waiting))


async def _wait(client: httpx.AsyncClient, place: Place, path: str) -> float:
    """View a page that nobody has seen; return the seconds until the counter says so."""
    started = time.perf_counter()
    hit = {"n": "pageview", "d": SITE, "u": f"https://{PROBED}{path}"}
    answer = await client.post(f"{place.ingest}/e", json=hit)
    if answer.status_code != 202 or "X-Luot-Dropped" in answer.headers:
        raise RuntimeError(f"the probe was not taken: {answer.status_code} {answer.headers}")
    while time.perf_counter() - started < LONGEST_SECONDS:
        url = f"{place.api}/api/counter/{SITE}"
        numbers = (await client.get(url, params={"path": path})).json()
        # A page that cannot be read in time is left out of the answer.
        if numbers["paths"].get(path, {}).get("views"):
            return time.perf_counter() - started
        await asyncio.sleep(POLL_SECONDS)
    raise RuntimeError(f"the hit is not in the counter after {LONGEST_SECONDS:.0f} s")


@contextlib.contextmanager
def _up() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        up = Up(Path(folder) / "data")
        try:
            yield Place(up.url, up.url)
        finally:
            up.end()


@contextlib.contextmanager
def _services() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        (Path(folder) / "clickhouse").mkdir()
        system = System(Path(folder), LUOT_SALTS=f"{folder}/salts")
        try:
            system.start()
            system.add_site(SITE, hosts=[PROBED, workload.HOST])
            yield Place(system.ingest.url, system.api.url)
        finally:
            system.stop()


@contextlib.contextmanager
def _load(url: str, rate: int, seconds: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load", url, str(rate), str(seconds + 4 * LEAD_SECONDS)]
    )
    try:
        time.sleep(LEAD_SECONDS)
        yield
        if process.poll() is not None:
            raise RuntimeError("the others stopped before the probes did")
    finally:
        process.terminate()
        process.wait(30)
