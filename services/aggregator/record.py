"""Opens the store for the aggregator: rows are read where they are written."""

from services.aggregator.watermarks import NotesSites, ShardWatermarks, Watermarks
from services.log.interface import LogPositions
from services.store.cluster.one_host import OneHostStore
from services.store.interface import Store
from services.store.open import cluster_of, open_hosts, open_sharded


def open_of_record(
    url: str, positions: LogPositions, partitions: int
) -> tuple[Store, NotesSites | None]:
    """Return the store of a URL, and what records how far it was written, if it has several hosts.

    Raises ValueError for a URL that names no store.
    """
    if cluster_of(url):
        marks = ShardWatermarks(positions, partitions)
        return open_sharded(url, marks.lag_of), marks
    hosts = open_hosts(url)
    if len(hosts) == 1:
        return hosts[0], None
    watermarks = Watermarks(positions, partitions)
    return OneHostStore(hosts, watermarks.lag), watermarks
