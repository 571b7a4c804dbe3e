"""Python's collector of reference cycles, in a process that serves requests."""

import gc


def settle() -> None:
    """Leave alone what a service holds for good, and look at the rest less often.

    For a process that makes no cycles for a request: the collector would go through everything
    that is under way, again and again, and find nothing. Called once, when the service is ready.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
