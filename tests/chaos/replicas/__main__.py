"""`python -m tests.chaos.replicas`: Redis fails over again and again, with a seed each time."""

import sys

from tests.chaos.command import command
from tests.chaos.replicas.run import run

if __name__ == "__main__":
    sys.exit(
        command(run, prog="python -m tests.chaos.replicas", description=__doc__, faults=20, rate=50)
    )
