"""How long a test waits at most for what has to come."""

PATIENCE_SECONDS = 120.0
"""What comes in a moment on a quiet machine may take a minute on one that is busy."""


def rounds(pause: float) -> range:
    """Return how often to look, with a pause in seconds between two looks, until patience ends."""
    return range(round(PATIENCE_SECONDS / pause))
