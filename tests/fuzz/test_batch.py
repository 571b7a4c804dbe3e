"""Whatever stands in the log, it is a batch or a BatchError: quickly, and in little memory."""

import time
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.log import batch
from services.log.batch import BatchError
from services.model.hit import Hit, Visit
from tests.fuzz import corpus

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
HIT = st.builds(
    Hit,
    site=TEXT.filter(bool),
    path=TEXT.filter(bool),
    at=st.integers(1_700_000_000_000, 1_700_000_100_000),
    day=st.integers(0, 65_535),
    visitor=st.integers(0, (1 << 64) - 1),
    visit=st.sampled_from(Visit),
    bot=st.booleans(),
    **dict.fromkeys(("host", "source", "device", "browser", "os", "country", "region"), TEXT),
)
HITS = st.lists(HIT, min_size=1, max_size=8)
NUMBER = st.integers(-(1 << 63), (1 << 64) - 1)
COLUMN = st.lists(NUMBER | st.integers(0, 3), max_size=4)
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | st.floats() | TEXT | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
WIRE = st.tuples(NUMBER | VALUE, st.lists(TEXT, max_size=4) | VALUE, *[COLUMN | VALUE] * 14)

SECONDS = 5.0
MEMORY = 64 << 20


def assert_batch_or_error(payload: bytes) -> None:
    try:
        found = batch.decode(payload)
    except BatchError:
        return
    assert 1 <= len(found) <= batch.MAX_HITS
    hits = list(found.hits())
    assert list(batch.decode(batch.encode(hits)).hits()) == hits


@given(payload=st.binary(max_size=300))
def test_random_bytes(payload: bytes) -> None:
    assert_batch_or_error(payload)


@given(wire=WIRE)
def test_the_right_shape_with_wrong_values(wire: Any) -> None:
    assert_batch_or_error(msgspec.msgpack.encode(wire))


@settings(max_examples=300)
@given(hits=HITS, data=st.data())
def test_good_batches_with_bytes_changed_cut_and_put_in(hits: list[Hit], data: Any) -> None:
    payload = bytearray(batch.encode(hits))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload)))
        cut = data.draw(st.integers(0, 5))
        payload[place : place + cut] = data.draw(st.binary(max_size=6))
    assert_batch_or_error(bytes(payload))


@given(hits=HITS)
@example(hits=[Hit(site="a", path="/", at=0, day=0)])
def test_what_was_encoded_is_decoded(hits: list[Hit]) -> None:
    assert list(batch.decode(batch.encode(hits), hits=len(hits)).hits()) == hits


@pytest.mark.parametrize("name", corpus.BATCHES)
def test_the_corpus_of_bad_batches_costs_little(name: str) -> None:
    payload = corpus.BATCHES[name]()
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(BatchError):
            batch.decode(payload)
        seconds = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert seconds < SECONDS
    assert peak < MEMORY
