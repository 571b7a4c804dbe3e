"""What a read costs as history and sites grow: it should not."""

from collections.abc import Iterator

from benchmarks import api
from benchmarks.history import History
from benchmarks.measure import Result, exact
from benchmarks.stack import stack, stores

YEARS = (1, 3, 10)
SITES = (10, 1_000, 10_000)
FEW_SITES = 10
READS = 100


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure reads of sites that nobody has just asked for, one at a time."""
    by_years = {years: History(sites=FEW_SITES, days=365 * years) for years in YEARS}
    by_sites = {sites: History(sites=sites, days=60, pages=5) for sites in SITES}
    if quick:
        by_years.popitem()
        by_sites.popitem()
    yield from _curve("years of history", by_years)
    yield from _curve("sites", by_sites)


def _curve(of: str, histories: dict[int, History]) -> Iterator[Result]:
    least: float | None = None
    for size, history in histories.items():
        with stack() as running:
            service, pids = api.start(running, stores()[0], history)
            list(api.cold(service, pids, FEW_SITES, FEW_SITES))
            used, waited, _ = api.cold(service, pids, FEW_SITES, READS)
        least = used.value if least is None else least
        yield exact(f"{size} {of}: processor time of a read", used.value, "ms", curve=of, at=size)
        yield exact(f"{size} {of}: p50 of a read", waited.value, "ms")
        yield exact(f"{size} {of}: times the smallest", used.value / least, "×")
