"""Logging of the services: lines on stderr."""

import logging

_TALKATIVE = ("faust", "mode")
"""Libraries that log each start of each of their parts."""


def to_stderr(level: str) -> None:
    """Log what is at least of this level ('debug', 'info', 'warning', 'error')."""
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")
    if level != "debug":
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
