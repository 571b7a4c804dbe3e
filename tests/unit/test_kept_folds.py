"""What is kept of a fold comes back as it was, or not at all."""

from random import Random

import msgspec
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.compact import CompactMap, CompactSet
from services.aggregator.kernel.fold import KernelFold
from services.log.batch import decode as decode_batch
from services.log.batch import encode as encode_batch
from services.log.redis import entry_ids
from services.model.hit import Hit
from services.state import kept_folds
from services.state.kept_folds import KeptFold, decode, encode
from services.store.meta.server_info import ServerStart
from tests.kernel import kernel
from tests.unit.test_fold import START

KEPT = KeptFold("0.1.0 1", "a log", "a host", 1_750_000_000, 17, b"state" * 100)


def written() -> bytes:
    packed = encode(KEPT)
    assert packed is not None
    return packed


def test_what_is_kept_comes_back() -> None:
    assert decode(written()) == KEPT


@given(st.integers(min_value=0), st.integers(1, 255))
def test_one_byte_that_is_another_is_noticed(place: int, change: int) -> None:
    damaged = bytearray(written())
    damaged[place % len(damaged)] ^= change
    assert decode(bytes(damaged)) is None


@given(st.binary(max_size=100), st.integers(0, 100))
def test_a_part_and_anything_else_are_nothing(anything: bytes, length: int) -> None:
    assert decode(anything) is None
    assert decode(written()[: min(length, len(written()) - 1)]) is None


@pytest.mark.parametrize(
    "body", [b"no archive", zstd.compress(b"\xc1"), zstd.compress(msgspec.msgpack.encode([1]))]
)
def test_another_form_with_a_right_digest_is_nothing(body: bytes) -> None:
    assert decode(kept_folds._digest(body) + body) is None


def test_a_state_that_is_too_large_is_neither_written_nor_read() -> None:
    large = Random(1).randbytes(kept_folds.MOST_BYTES + 1)
    assert encode(msgspec.structs.replace(KEPT, state=large)) is None
    bomb = zstd.compress(bytes(kept_folds.MOST_UNPACKED + 1))
    assert decode(kept_folds._digest(bomb) + bomb) is None


def test_the_fold_of_a_busy_partition_can_be_kept() -> None:
    """Of 5,000 hits a second over eight partitions, three views a visit, for half an hour."""
    fold, chance = KernelFold(kernel(), 0), Random(8)
    for batch in range(780):
        at = START + batch * 2_400
        hits = [
            Hit(
                site="mytho", path="/", at=at + number, day=20_254,
                visitor=chance.getrandbits(64), view_id=chance.getrandbits(64),
            )
            for number in range(500)
        ]  # fmt: skip
        fold.rebuild([(entry_ids.encode(at, 0), at, decode_batch(encode_batch(hits)))])
    state = fold.pack()
    packed = encode(msgspec.structs.replace(KEPT, state=state))
    assert packed is not None
    kept = decode(packed)
    assert kept is not None
    assert KernelFold.unpack(kernel(), 0, kept.state).position == fold.position


def test_a_server_is_the_same_until_it_starts_again() -> None:
    start = ServerStart("a host", 1_750_000_000)
    assert start.is_same(ServerStart("a host", 1_750_000_002))
    assert not start.is_same(ServerStart("a host", 1_750_000_003))
    assert not start.is_same(ServerStart("another", 1_750_000_000))


@pytest.mark.parametrize("number", [0, 1, 512, 513, 5_000])
def test_sets_and_maps_that_were_packed_go_on_in_a_process_with_another_secret(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(number)
    values = {chance.getrandbits(64): chance.getrandbits(64) for _ in range(number)}
    numbers, known = CompactSet(), CompactMap()
    for key, value in values.items():
        numbers.add(key)
        known.put(key, value)
    packed = numbers.pack(), known.pack()
    monkeypatch.setattr("services.aggregator.compact._ODD", chance.getrandbits(64) | 1)
    numbers, known = CompactSet.unpack(packed[0]), CompactMap.unpack(packed[1])
    assert len(numbers) == len(known) == number
    for _ in range(2_000):
        new = chance.getrandbits(64)
        assert numbers.add(new)
        assert not known.put(new, 7)
        values[new] = 7
    assert all(key in numbers and known.get(key) == value for key, value in values.items())
