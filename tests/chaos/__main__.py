"""`make chaos`: break everything for ten minutes, as often as asked, with a seed each time."""

import sys

from tests.chaos.command import command
from tests.chaos.run import run

if __name__ == "__main__":
    sys.exit(command(run, prog="python -m tests.chaos", description=__doc__, faults=100, rate=200))
