"""`python -m tests.chaos.brokers`: break brokers and what needs them, with a seed each time."""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.brokers.run import run
from tests.servers.kafka_cluster import SESSION_SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.brokers", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeat the run of this seed")
    parser.add_argument("--runs", type=int, default=1, help="how many runs, each with a new seed")
    parser.add_argument("--minutes", type=float, default=10.0, help="least time of a run")
    parser.add_argument("--faults", type=int, default=40, help="least faults of a run")
    parser.add_argument("--rate", type=float, default=100.0, help="hits a second")
    parser.add_argument("--directory", type=Path, help="where to leave everything to look at")
    options = parser.parse_args()

    def say(text: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()

    # Whatever ends it, the services and stores it started end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    failed = 0
    for _ in range(options.runs):
        seed = random.randrange(1 << 32) if options.seed is None else options.seed
        with tempfile.TemporaryDirectory(prefix="luot-chaos-") as temporary:
            result = asyncio.run(
                run(
                    Path(temporary) if options.directory is None else options.directory / f"{seed}",
                    seed=seed,
                    faults_wanted=options.faults,
                    seconds=options.minutes * 60,
                    rate=options.rate,
                    session_seconds=SESSION_SECONDS,
                    say=say,
                )
            )
        sys.stdout.write(f"{result.summary()}\n")
        sys.stdout.flush()
        failed += bool(result.problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
