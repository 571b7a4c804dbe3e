"""`make soak`: half of what this machine can do, for half an hour: does anything grow?

Prints, for each process, the slope of its memory and of its open files after a warm-up, and the
highest lag of the log.
"""

import argparse
import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from services.traffic.client import IngestAnswer
from tests.chaos.books import Books, Generator
from tests.chaos.world import World

SAMPLE_SECONDS = 5.0
LAG_SECONDS = 2.0
"""The lag that a soak is to stay under."""
WARM_UP = 0.25
"""Part of the run that is not looked at: caches fill."""
_LAG = re.compile(r"^luot_stream_lag_seconds\{[^}]*\} (\S+)$", re.MULTILINE)


class Tally(Books):
    """Counts answers and forgets the hits: books of an hour would grow themselves."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.taken = 0
        self.failed = 0

    def new_hit(self) -> tuple[str, bytes, str]:
        hit = super().new_hit()
        if len(self.sent) > 1000:
            self.sent.clear()
        return hit

    def answered(self, number: str, answer: IngestAnswer, *, lost: bool = False) -> None:
        if answer.status == 202 and not answer.dropped:
            self.taken += 1
        else:
            self.failed += 1


class Samples:
    """Memory in MiB and open files of each process, and the lag, over time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.times: list[float] = []
        self.memory: dict[str, list[float]] = {}
        self.files: dict[str, list[float]] = {}
        self.lag: list[float] = []
        self._owned: dict[str, float] = {}

    async def take(self, http: httpx.AsyncClient) -> None:
        pids = {name: service.pid for name, service in self._world.services.items()}
        pids |= {"redis": self._world.redis.pid, "clickhouse": self._world.clickhouse.pid}
        self.times.append(time.monotonic())
        for name, pid in pids.items():
            memory, files = _of_process(pid)
            self.memory.setdefault(name, []).append(memory)
            self.files.setdefault(name, []).append(files)
        lags = [0.0]
        for name, service in self._world.services.items():
            if name.startswith("aggregator"):
                text = (await http.get(f"{service.url}/metrics")).text
                lags += [float(value) for value in _LAG.findall(text)]
                self._tell(name, text)
        self.lag.append(max(lags))
        if self.lag[-1] >= LAG_SECONDS:
            _say(f"lag {self.lag[-1]:.1f} s; load average {os.getloadavg()[0]:.1f}")

    def _tell(self, name: str, text: str) -> None:
        """Print what explains a lag: partitions that changed hands, flushes tried again."""
        for metric in ("luot_owned_partitions", "luot_flush_retries_total"):
            found = re.search(rf"^{metric} (\S+)$", text, re.MULTILINE)
            value = float(found[1]) if found else 0.0
            if value != self._owned.setdefault(f"{name} {metric}", value):
                self._owned[f"{name} {metric}"] = value
                _say(f"{name}: {metric} is {value:g}")

    def report(self) -> str:
        skip = int(len(self.times) * WARM_UP)
        lines = [
            "| process | MiB at the end | MiB an hour | open files an hour |",
            "|---|---|---|---|",
        ]
        for name, values in self.memory.items():
            memory, files = (self._slope(of, skip) for of in (values, self.files[name]))
            lines.append(f"| {name} | {values[-1]:.0f} | {memory:+.1f} | {files:+.1f} |")
        worst = sorted(self.lag[skip:])
        lines.append("")
        lines.append(
            f"lag of the log: median {statistics.median(worst):.2f} s,"
            f" p99 {worst[int(len(worst) * 0.99) - 1]:.2f} s, highest {worst[-1]:.2f} s"
        )
        return "\n".join(lines)

    def _slope(self, values: list[float], skip: int) -> float:
        slope, _ = statistics.linear_regression(self.times[skip:], values[skip:])
        return slope * 3600


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def _of_process(pid: int) -> tuple[float, int]:
    """Return memory in MiB and the number of open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = int(status.partition("VmRSS:")[2].split()[0])
    return kilobytes / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _rate(world: World, rate: float, seconds: float) -> float:
    """Return how many hits a second are taken when so many are offered."""
    tally = Tally(1)
    started = time.monotonic()
    async with Generator(tally, world.ingest_urls, rate, connections=64).sending():
        await asyncio.sleep(seconds)
    return tally.taken / (time.monotonic() - started)


async def _soak(directory: Path, minutes: float, rate: float | None) -> None:
    world = World(directory, faults=False)
    try:
        await world.start()
        if rate is None:
            highest = await _rate(world, 1_000_000, 15)
            rate = highest / 2
            _say(f"highest rate {highest:.0f} hits/s; soaking at {rate:.0f}")
            await asyncio.sleep(10)
        samples = Samples(world)
        tally = Tally(2)
        end = time.monotonic() + minutes * 60
        async with (
            httpx.AsyncClient(timeout=30) as http,
            Generator(tally, world.ingest_urls, rate, connections=64).sending(),
        ):
            while time.monotonic() < end:
                await asyncio.sleep(SAMPLE_SECONDS)
                await samples.take(http)
        taken = tally.taken / (samples.times[-1] - samples.times[0] + SAMPLE_SECONDS)
        sys.stdout.write(f"{taken:.0f} hits/s taken, {tally.failed} refused\n{samples.report()}\n")
    finally:
        await world.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, help="hits per second [half of the maximum]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="luot-soak-") as directory:
        asyncio.run(_soak(Path(directory), options.minutes, options.rate))


if __name__ == "__main__":
    main()
