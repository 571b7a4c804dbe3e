"""Python's collector of reference cycles, in a process that serves requests."""

import gc


def tune(young: int = 10_000, old: int = 100) -> None:
    """Leave alone what a service holds for good, and look at the rest less often.

    `young` objects are made between two looks at the newest of them; at all of them it looks
    `old` times 20 times less often.

    For a process that makes no cycles, or few, for a request: the collector would go through
    everything that is under way, again and again, and find nothing. Called once, when the service
    is ready.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 20, old)
