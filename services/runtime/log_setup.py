"""What services say about themselves: lines on stderr."""

import logging

_TALKATIVE = ("faust", "mode")
"""Libraries that tell of every start of every part."""


def to_stderr(level: str) -> None:
    """Print what is at least of this level ('debug', 'info', 'warning', 'error')."""
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")
    if level != "debug":
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
