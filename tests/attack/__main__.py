"""`make attack`: attack a whole Luot, and print what it did to everybody else."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.attack.run import ATTACKS, run
from tests.attack.target import Target
from tests.attack.visitors import count_a_full_log

FULL_LOG = "a log full of visitors"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument(
        "attacks", nargs="*", choices=[*ATTACKS, FULL_LOG, []], help="attacks to run [all]"
    )
    parser.add_argument("--seconds", type=float, default=55.0, help="maximum length of a flood")
    options = parser.parse_args()

    # Whatever ends it, the services and stores it started end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = options.attacks or [*ATTACKS, FULL_LOG]
    broken = _attack([name for name in chosen if name in ATTACKS], options.seconds)
    if FULL_LOG in chosen:
        with tempfile.TemporaryDirectory(prefix="luot-attack-") as directory:
            counted = count_a_full_log(Path(directory))
        _print(counted.lines())
        broken += bool(counted.problems())
    return 1 if broken else 0


def _attack(names: Sequence[str], seconds: float) -> int:
    """Run attacks on one Luot; return how many broke something."""
    broken = 0
    if not names:
        return broken
    with tempfile.TemporaryDirectory(prefix="luot-attack-") as directory:
        target = Target(Path(directory))
        try:
            target.start()
            for name in names:
                row = asyncio.run(run(target, name, seconds))
                _print(row.lines())
                broken += bool(row.problems)
        finally:
            target.stop()
    return broken


def _print(lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
