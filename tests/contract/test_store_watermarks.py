"""What was written is noted before it is committed, whoever wrote it."""

import pytest

from services.aggregator.flush import Flusher
from services.aggregator.fold import PartitionFold
from services.aggregator.watermarks import Watermarks
from services.log.batch import decode, encode
from services.log.drivers.memory import MemoryLog
from services.log.memory.server import SERVERS
from services.model.hit import Hit
from services.model.partition import partition_of
from services.store.interface import Store, StoreUnavailableError

PARTITION = partition_of("mytho", 8)
POSITION = 7 << 20


async def flush(store: Store, watermarks: Watermarks) -> None:
    """Fold and write one entry, in a process that remembers nothing."""
    fold = PartitionFold(PARTITION)
    hit = Hit(site="mytho", path="/", at=1_790_000_000_000, day=20_717, visitor=1)
    folded = fold.fold([(POSITION, 1_790_000_000_000, decode(encode([hit])))])
    flusher = Flusher(store, 1000, watermarks)
    await flusher._flush([folded], [], [], flusher._rows_of({PARTITION: folded}))


async def test_rows_are_noted_that_a_worker_wrote_and_could_not_note(store: Store) -> None:
    SERVERS.pop("watermarks", None)
    log = MemoryLog("memory://watermarks", partitions=8, group="luot", answer_seconds=1)
    log.server.reachable = False
    with pytest.raises(StoreUnavailableError):
        await flush(store, Watermarks(log.positions, 8))
    log.server.reachable = True
    assert await log.positions.written() == {}
    await flush(store, Watermarks(log.positions, 8))
    assert await log.positions.written() == {PARTITION: POSITION}
