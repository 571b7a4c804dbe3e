"""The format of a batch, as other versions of Luot read and wrote it."""

import msgspec

from services.log import batch
from services.model.hit import Hit

OLD_COLUMNS = 15
HITS = [Hit(site="mytho", path=f"/{n}", at=1_750_000_000_000 + n, day=20_254) for n in range(3)]


def test_hits_without_a_number_are_the_bytes_they_always_were() -> None:
    encoded = batch.encode(HITS)
    assert len(msgspec.msgpack.decode(encoded)) == OLD_COLUMNS
    assert list(batch.decode(encoded).hits()) == HITS


def test_an_older_aggregator_reads_what_a_newer_ingest_writes() -> None:
    hits = [msgspec.structs.replace(hit, view_id=n << 50) for n, hit in enumerate(HITS)]
    encoded = batch.encode(hits)
    assert list(batch.decode(encoded).hits()) == hits
    old = msgspec.msgpack.decode(encoded, type=batch._Wire)
    assert old == msgspec.msgpack.decode(batch.encode(HITS), type=batch._Wire)
