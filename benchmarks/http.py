"""Servers of HTTP under the same load, in turn with the emptiest one."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from benchmarks import wrk
from benchmarks.measure import Result, summary
from benchmarks.processes import cpu_seconds

CONNECTIONS = 64
WARM_SECONDS = 1.0


class Target(msgspec.Struct, frozen=True):
    """A server, and what it is asked; before each round, it is loaded for `warm` seconds."""

    name: str
    pid: int
    port: int
    requests: Sequence[bytes]
    warm: float = WARM_SECONDS


class _Round(msgspec.Struct, frozen=True):
    load: wrk.Load
    cpu: float

    def a_request(self, seconds: float) -> float:
        """Return µs for one request."""
        return seconds * 1e6 / self.load.requests


_MEASURES: dict[tuple[str, str], Callable[[_Round], float]] = {
    ("answers", "/s"): lambda one: one.load.a_second,
    ("processor time", "µs/request"): lambda one: one.a_request(one.cpu),
    ("busy share of its core", "×"): lambda one: one.cpu * 1e6 / one.load.microseconds,
    ("p50", "ms"): lambda one: one.load.p50 / 1000,
    ("p99", "ms"): lambda one: one.load.p99 / 1000,
    ("p99.9", "ms"): lambda one: one.load.p999 / 1000,
    ("processor time of the client", "µs/request"): lambda one: one.a_request(one.load.cpu),
}


def compare(
    targets: Sequence[Target], *, seconds: float, count: int, connections: int = CONNECTIONS
) -> tuple[list[Result], int]:
    """Load each target `count` times in turn; the first one is the ceiling of the others.

    Return the results, and how many requests the last target has answered.
    """
    answered = 0
    rounds: dict[str, list[_Round]] = defaultdict(list)

    def load(target: Target, seconds: float) -> wrk.Load:
        return wrk.load(target.port, target.requests, seconds=seconds, connections=connections)

    for _ in range(count):
        for target in targets:
            warming = load(target, target.warm)
            before = cpu_seconds(target.pid)
            measured = load(target, seconds)
            rounds[target.name].append(_Round(measured, cpu_seconds(target.pid) - before))
            if target is targets[-1]:
                answered += warming.requests + measured.requests
    return _results(rounds, targets[0].name), answered


def _results(rounds: dict[str, list[_Round]], ceiling: str) -> list[Result]:
    results = []
    for name in rounds:
        for (what, unit), of in _MEASURES.items():
            named = {f"{other}: {what}": [of(one) for one in rounds[other]] for other in rounds}
            own = f"{name}: {what}"
            results.append(summary(own, named[own], named, f"{ceiling}: {what}", unit))
        if name != ceiling:
            results.append(_share(name, rounds[name], rounds[ceiling]))
    return results


def _share(name: str, own: Sequence[_Round], least: Sequence[_Round]) -> Result:
    """Return the goal's ratio as other work on the machine disturbs it least."""
    shares = [
        bare.a_request(bare.cpu) / one.a_request(one.cpu)
        for one, bare in zip(own, least, strict=True)
    ]
    return Result(
        what=f"{name}: share of the ceiling by processor time",
        value=median(shares),
        unit="×",
        low=min(shares),
        high=max(shares),
        runs=len(shares),
    )
