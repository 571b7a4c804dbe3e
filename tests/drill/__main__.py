"""`make drill`: cause the fault of each alert; it must fire, arrive, and be resolved after it."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.drill.alerts import EVERY
from tests.drill.run import drill, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("alerts", nargs="*", help="alerts to drill [all]")
    parser.add_argument(
        "--factor", type=float, default=30.0, help="how many times faster time passes"
    )
    options = parser.parse_args()
    if unknown := set(options.alerts) - EVERY:
        parser.error(f"no drill for {', '.join(sorted(unknown))}")

    def say(text: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()

    # Whatever ends it, all it started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="luot-drill-") as directory:
        rows = asyncio.run(
            drill(Path(directory), factor=options.factor, say=say, wanted=options.alerts)
        )
    sys.stdout.write(f"{table(rows)}\n")
    failed = sum(bool(row.problem) for row in rows)
    sys.stdout.write(f"{len(rows) - failed} of {len(rows)} alerts fired, arrived, and ended\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
