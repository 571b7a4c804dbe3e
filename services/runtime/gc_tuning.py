"""Tunes Python's garbage collector for a process that serves requests."""

import gc


def tune(young: int = 10_000, old: int = 100) -> None:
    """Freeze what a service holds for its lifetime, and collect the rest less often.

    young  allocations between two collections of the youngest generation
    old    a full collection comes after 20 times as many of those

    For a process whose requests make few reference cycles: the collector would scan everything
    under way again and again, and find nothing. Called once, when the service is ready.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 20, old)
