"""Freshness: from sending a hit to the first public answer that has it, while others send too."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from statistics import median, quantiles

import httpx

from benchmarks.measure import Result, exact

HITS_A_SECOND = 1000
PROBES_A_SECOND = 5
POLL_SECONDS = 0.05
LEAD_SECONDS = 5
"""How long the others send before the probes, and at least after them."""
LONGEST_SECONDS = 30.0
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"

_LUOT = (sys.executable, "-c", "from services.cli import main; main()")


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure `luot up`, everything on this machine: the senders cost it time, too."""
    seconds = 10 if quick else 60
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder, _luot(folder) as url:
        for rate in (0, HITS_A_SECOND):
            with _load(url, rate, seconds):
                before, started = _views(url), time.monotonic()
                waited = asyncio.run(_probe(url, seconds * PROBES_A_SECOND))
                others = (_views(url) - before - len(waited)) / (time.monotonic() - started)
            load = f"about {rate} others a second" if rate else "alone"
            if rate:
                yield exact(f"others, {load}", others, "hits/s")
            yield _result(f"half of the hits, {load}", waited, median(waited))
            worst = quantiles(waited, n=100, method="inclusive")[98]
            yield _result(f"99 of 100 hits, {load}", waited, worst)


def _views(url: str) -> int:
    answer = httpx.get(f"{url}/api/counter/demo", params={"metric": "views"}).json()
    return int(answer["total"])


def _result(what: str, waited: Sequence[float], value: float) -> Result:
    return Result(
        what=what, value=value, unit="s", low=min(waited), high=max(waited), runs=len(waited)
    )


async def _probe(url: str, count: int) -> list[float]:
    async with httpx.AsyncClient(base_url=url, headers={"User-Agent": BROWSER}) as client:
        waiting = []
        for number in range(count):
            waiting.append(asyncio.create_task(_wait(client, f"/probe/{time.time_ns()}-{number}")))
            await asyncio.sleep(1 / PROBES_A_SECOND)
        return list(await asyncio.gather(*waiting))


async def _wait(client: httpx.AsyncClient, path: str) -> float:
    """View a page that nobody has seen; return the seconds until the counter says so."""
    started = time.perf_counter()
    hit = {"n": "pageview", "d": "demo", "u": f"https://demo.example{path}"}
    answer = await client.post("/api/event", json=hit)
    if answer.status_code != 202 or "X-Luot-Dropped" in answer.headers:
        raise RuntimeError(f"the probe was not taken: {answer.status_code} {answer.headers}")
    while time.perf_counter() - started < LONGEST_SECONDS:
        numbers = (await client.get("/api/counter/demo", params={"path": path})).json()
        # A page that cannot be read in time is left out of the answer.
        if numbers["paths"].get(path, {}).get("views"):
            return time.perf_counter() - started
        await asyncio.sleep(POLL_SECONDS)
    raise RuntimeError(f"the hit is not in the counter after {LONGEST_SECONDS:.0f} s")


@contextlib.contextmanager
def _luot(folder: str) -> Iterator[str]:
    process = subprocess.Popen(
        [*_LUOT, "up", "--data", folder, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        ready = next((line for line in process.stdout if line.startswith("Luot is ready")), None)
        if ready is None:
            raise RuntimeError("luot up did not start")
        yield ready.split()[3].removesuffix("/demo")
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextlib.contextmanager
def _load(url: str, rate: int, seconds: int) -> Iterator[None]:
    if not rate:
        yield
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load", url, str(rate), str(seconds + 3 * LEAD_SECONDS)]
    )
    try:
        time.sleep(LEAD_SECONDS)
        yield
        if process.poll() is not None:
            raise RuntimeError("the others stopped before the probes did")
    finally:
        process.terminate()
        process.wait(30)
