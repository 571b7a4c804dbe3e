"""The format of a batch, as other versions of Luot read and wrote it."""

import msgspec
import pytest

from services.log import batch
from services.log.batch import BatchError
from services.model.hit import OTHER_PATH, Hit

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


def test_a_page_counted_under_another_path_keeps_its_own() -> None:
    hits = [*HITS, msgspec.structs.replace(HITS[0], path=OTHER_PATH, own_path="/bịa-đặt")]
    assert list(batch.decode(batch.encode(hits)).hits()) == hits

    numbered = [msgspec.structs.replace(hit, view_id=n + 1) for n, hit in enumerate(hits)]
    assert list(batch.decode(batch.encode(numbered)).hits()) == numbered


def test_an_aggregator_that_knows_no_own_paths_counts_them_under_the_other() -> None:
    hit = msgspec.structs.replace(HITS[0], path=OTHER_PATH, own_path="/a")
    old = msgspec.msgpack.decode(batch.encode([hit]), type=batch._Wire)
    assert [old.strings[index] for index in old.path] == [OTHER_PATH]


def test_hits_of_campaigns_are_whole_and_an_older_aggregator_counts_them() -> None:
    tags = {"utm_medium": "email", "utm_campaign": "quý 3", "utm_content": "a", "utm_term": "b"}
    tags["utm_source"] = "zalo"
    for more in (tags, {"utm_term": "b"}, {"utm_source": "zalo"}):
        hits = [*HITS, msgspec.structs.replace(HITS[0], **more)]
        encoded = batch.encode(hits)
        assert list(batch.decode(encoded).hits()) == hits
        old = msgspec.msgpack.decode(encoded, type=batch._Wire)
        assert [old.strings[index] for index in old.path] == [hit.path for hit in hits]


def test_a_province_costs_a_byte_a_hit_none_costs_nothing_and_an_older_aggregator_counts() -> None:
    many = [msgspec.structs.replace(HITS[0], at=HITS[0].at + n, country="VN") for n in range(100)]
    placed = [msgspec.structs.replace(hit, region="VN-HN") for hit in many]
    without, encoded = batch.encode(many), batch.encode(placed)
    assert len(msgspec.msgpack.decode(without)) == OLD_COLUMNS
    assert list(batch.decode(encoded).hits()) == placed
    assert len(encoded) - len(without) < 100 + 20, "an index each, and the name once"
    old = msgspec.msgpack.decode(encoded, type=batch._Wire)
    assert [old.strings[index] for index in old.country] == ["VN"] * 100


@pytest.mark.parametrize("column", [[1], [99, 99, 99], [0, 0, 0, 0]])
def test_a_column_of_own_paths_that_does_not_fit_is_refused(column: list[int]) -> None:
    wire = msgspec.msgpack.decode(batch.encode(HITS))
    with pytest.raises(BatchError, match="own_path"):
        batch.decode(msgspec.msgpack.encode([*wire, [], column]))
