"""How a thing is measured: several runs, in turn with its ceiling, and the median of them."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import msgspec

RUNS = 7
QUICK_RUNS = 3


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measured thing.

    what      in words
    value     the median of the runs, in `unit`
    low       the smallest of the runs
    high      the largest of the runs
    runs      how many there were; 1 for what is the same every time
    times     multiple of the ceiling: the median of the runs' own ratios
    ceiling   what that ceiling is
    curve     the curve of a plot that this is a point of
    at        where on that curve it is
    """

    what: str
    value: float
    unit: str
    low: float
    high: float
    runs: int = 1
    times: float | None = None
    ceiling: str | None = None
    curve: str | None = None
    at: float | None = None


def runs(quick: bool) -> int:
    """Return how often each thing is measured."""
    return QUICK_RUNS if quick else RUNS


def exact(
    what: str, value: float, unit: str, *, curve: str | None = None, at: float | None = None
) -> Result:
    """Return what was measured once: a size, which is the same every time, or a long run."""
    return Result(what=what, value=value, unit=unit, low=value, high=value, curve=curve, at=at)


def compare(
    works: Mapping[str, Callable[[], object]], hits: int, count: int, ceiling: str | None = None
) -> list[Result]:
    """Time works that each handle `hits` hits; return µs a hit, in the order given.

    Each run times every work once, so that a machine that slows down slows them all. `ceiling`
    names the work that the others are compared with.
    """
    for work in works.values():
        work()
    timed: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(count):
        for name, work in works.items():
            timed[name].append(_microseconds(work) / hits)
    return [summary(name, values, timed, ceiling) for name, values in timed.items()]


def summary(
    what: str,
    values: Sequence[float],
    timed: Mapping[str, Sequence[float]] | None = None,
    ceiling: str | None = None,
    unit: str = "µs/hit",
) -> Result:
    """Return the result of runs; `timed` holds those of the ceiling, run by run in turn."""
    times = None
    if timed is not None and ceiling is not None and what != ceiling:
        times = median(own / least for own, least in zip(values, timed[ceiling], strict=True))
    return Result(
        what=what,
        value=median(values),
        unit=unit,
        low=min(values),
        high=max(values),
        runs=len(values),
        times=times,
        ceiling=ceiling if times is not None else None,
    )


def _microseconds(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        work()
        return (time.perf_counter() - started) * 1e6
    finally:
        gc.enable()
