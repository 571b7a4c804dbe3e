"""`make attack`: attack a whole Luot from one address, and print what it did to everybody else."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from tests.attack.run import ATTACKS, run
from tests.attack.target import Target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("attacks", nargs="*", choices=[*ATTACKS, []], help="all without any")
    parser.add_argument("--seconds", type=float, default=55.0, help="most time of a flood")
    options = parser.parse_args()

    # Whatever ends it, the services and stores it started end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    broken = 0
    with tempfile.TemporaryDirectory(prefix="luot-attack-") as directory:
        target = Target(Path(directory))
        try:
            target.start()
            for name in options.attacks or ATTACKS:
                row = asyncio.run(run(target, name, options.seconds))
                sys.stdout.write("\n".join(row.lines()) + "\n")
                sys.stdout.flush()
                broken += bool(row.problems)
        finally:
            target.stop()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
