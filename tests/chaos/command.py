"""The command line of a chaos run: break things for minutes, as often as asked."""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.chaos.run import ChaosResult

Run = Callable[..., Coroutine[Any, Any, ChaosResult]]


def command(
    run: Run,
    *,
    prog: str,
    description: str | None,
    faults: int,
    rate: float,
    switches: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Give a run what the command line says, with these defaults; return the exit status.

    switches  further options of this run that are on or off, and what each does
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--seed", type=int, help="repeat the run with this seed")
    parser.add_argument("--runs", type=int, default=1, help="number of runs, each with a new seed")
    parser.add_argument("--minutes", type=float, default=10.0, help="minimum length of a run")
    parser.add_argument(
        "--faults", type=int, default=faults, help="minimum number of faults per run"
    )
    parser.add_argument("--rate", type=float, default=rate, help="hits per second")
    parser.add_argument("--quiet", action="store_true", help="print the results only")
    parser.add_argument(
        "--directory", type=Path, help="folder in which to leave everything for inspection"
    )
    for name, what in switches.items():
        parser.add_argument(f"--{name}", action="store_true", help=what)
    options = parser.parse_args()

    def say(text: str) -> None:
        if not options.quiet:
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
                    say=say,
                    **{name: getattr(options, name) for name in switches},
                )
            )
        sys.stdout.write(f"{result.summary()}\n")
        sys.stdout.flush()
        failed += bool(result.problems)
    return 1 if failed else 0
