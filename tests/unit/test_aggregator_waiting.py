"""What may wait for a flush is bounded, by hits and by pages."""

from types import SimpleNamespace

import pytest

from services.aggregator import pending
from services.aggregator.app import Aggregator
from services.aggregator.fold import PartitionFold
from services.aggregator.message_reader import UnreadEntries
from services.aggregator.settings import AggregatorSettings
from services.log.batch import decode, encode
from services.model.hit import Hit
from services.settings import Secret
from services.store.drivers.chdb import ChdbStore

DAY = 20_000
AT = DAY * 86_400_000


@pytest.fixture
async def aggregator(tmp_path_factory: pytest.TempPathFactory) -> Aggregator:
    """Return an aggregator that was not started: nothing is flushed."""
    path = tmp_path_factory.mktemp("store")
    settings = AggregatorSettings(clickhouse_url=Secret(f"chdb://{path}"), flush_hits=1000)
    return Aggregator(settings, ChdbStore(path), broker="memory://waiting")


def read(
    aggregator: Aggregator,
    fold: PartitionFold,
    number: int,
    *,
    hits: int,
    pages: int,
    size: int = 0,
) -> None:
    batch = [
        Hit(site="mytho", path=f"/{number}/{index % pages}", at=AT, day=DAY, visitor=0)
        for index in range(hits)
    ]
    reads = [((AT + number) << 20, AT + number, decode(encode(batch)))]
    aggregator._reader.fold(fold, UnreadEntries(reads, size), None)


async def test_enough_hits_of_few_pages_are_written_without_waiting(
    aggregator: Aggregator,
) -> None:
    fold = PartitionFold(0)
    read(aggregator, fold, 1, hits=500, pages=1)
    assert not aggregator._pending.full.is_set()
    read(aggregator, fold, 2, hits=500, pages=1)
    assert aggregator._pending.full.is_set()
    assert aggregator._pending.room.is_set()
    for number in (3, 4):
        read(aggregator, fold, number, hits=500, pages=1)
    assert not aggregator._pending.room.is_set()


async def test_enough_pages_of_few_hits_are_written_without_waiting(
    aggregator: Aggregator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "FLUSH_PAGES", 400)
    fold = PartitionFold(0)
    read(aggregator, fold, 1, hits=200, pages=200)
    assert not aggregator._pending.full.is_set()
    read(aggregator, fold, 2, hits=200, pages=200)
    assert aggregator._pending.full.is_set()


async def test_what_goes_to_another_owner_makes_room(aggregator: Aggregator) -> None:
    fold = PartitionFold(0)
    for number in (1, 2, 3, 4):
        read(aggregator, fold, number, hits=500, pages=1)
    assert not aggregator._pending.room.is_set()
    await aggregator._on_revoked(aggregator.app, [SimpleNamespace(partition=0)])
    await aggregator.flush()
    assert aggregator._pending.room.is_set()
    assert not aggregator._pending.full.is_set()


async def test_enough_bytes_of_few_hits_are_written_without_waiting(
    aggregator: Aggregator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "FLUSH_BYTES", 100_000)
    fold = PartitionFold(0)
    for number in (1, 2):
        assert not aggregator._pending.full.is_set()
        read(aggregator, fold, number, hits=10, pages=10, size=30_000)
    assert aggregator._pending.full.is_set()
    for number in (3, 4):
        assert aggregator._pending.room.is_set()
        read(aggregator, fold, number, hits=10, pages=10, size=30_000)
    assert not aggregator._pending.room.is_set()
