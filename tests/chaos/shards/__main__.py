"""`python -m tests.chaos.shards`: servers of a ClickHouse cluster go, with a seed each time."""

import sys

from tests.chaos.command import command
from tests.chaos.shards.run import run

if __name__ == "__main__":
    sys.exit(
        command(
            run,
            prog="python -m tests.chaos.shards",
            description=__doc__,
            faults=20,
            rate=50,
            switches={"unchecked": "any replica is taken that answers: it must fail"},
        )
    )
