"""How long a test waits at most for what has to come."""

PATIENCE_SECONDS = 120.0
"""What comes in a moment on a quiet machine may take a minute on one that is busy."""
