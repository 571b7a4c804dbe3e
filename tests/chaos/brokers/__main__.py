"""`python -m tests.chaos.brokers`: break brokers and what needs them, with a seed each time."""

import sys
from functools import partial

from tests.chaos.brokers.run import run
from tests.chaos.command import command
from tests.servers.kafka_cluster import SESSION_SECONDS

if __name__ == "__main__":
    sys.exit(
        command(
            partial(run, session_seconds=SESSION_SECONDS),
            prog="python -m tests.chaos.brokers",
            description=__doc__,
            faults=40,
            rate=100,
            switches={
                "once": "readers send no hit twice, and hits have no key to know them by",
                "idempotent": "the same with a producer that is only idempotent: it must fail",
            },
        )
    )
