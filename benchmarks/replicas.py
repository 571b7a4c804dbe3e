"""What WAIT costs: ingest that waits for a replica against ingest that does not, in turn.

Both append to the same Redis, which has a replica either way.
"""

from collections.abc import Iterator

from benchmarks import portals
from benchmarks.http import Target, compare
from benchmarks.ingest import VIEWS, request
from benchmarks.measure import Result
from benchmarks.stack import publish, stack

NAMES = {"0": "without waiting", "1": "one replica waited for"}
"""What ingest is called that has each LUOT_REDIS_REPLICAS."""
WARM_SECONDS = 4.0
"""The first view of each site waits for the salt of its day."""


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure two processes on one core, each idle while the other is loaded."""
    requests = [request(view) for view in portals.views(VIEWS)]
    with stack() as running:
        master = running.replicated_redis()
        publish(master, portals.sites())
        targets = []
        for replicas, name in NAMES.items():
            ingest = running.service(
                "ingest", LUOT_REDIS_URL=master.url, LUOT_REDIS_REPLICAS=replicas
            )
            targets.append(Target(name, ingest.pid, ingest.port, requests, WARM_SECONDS))
        results, _ = compare(targets, seconds=2 if quick else 5, count=1 if quick else 5)
        yield from results
