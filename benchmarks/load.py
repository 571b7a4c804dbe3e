"""`python -m benchmarks.load URL RATE SECONDS`: an even stream of hits to the site `demo`."""

import asyncio
import sys

import msgspec

from benchmarks import workload
from services.traffic.sender import Sender


def main() -> None:
    """Send; fail when a hit fails."""
    url, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    views = [
        msgspec.structs.replace(view, after=number / rate)
        for number, view in enumerate(workload.page_views(int(rate * seconds)))
    ]
    summary = asyncio.run(Sender(url, "demo").send(views))
    if summary.failed:
        raise SystemExit(f"{summary.failed} hits failed: {dict(summary.failures)}")


if __name__ == "__main__":
    main()
