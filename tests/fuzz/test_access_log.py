"""Whatever stands in an access log: a line is understood or counted as broken, nothing else."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.access_log.parser import AccessLog, AccessLogError
from tests.fuzz import corpus

GOOD = (
    b'203.0.113.9 - - [15/Nov/2023:12:00:00 +0700] "GET /tin-tuc?tabid=1 HTTP/1.1" 200 512'
    b' "https://www.google.com/" "Mozilla/5.0 (X11; Linux x86_64)"'
)

fuzzed = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def read(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with AccessLog(path) as log:
        if data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")):
            # It says that it is an archive.
            with pytest.raises(AccessLogError, match="damaged"):
                list(log)
            return
        lines = list(log)
        assert len(lines) + log.broken == log.lines
        if log.format is not None and log.format.name != "combined":
            return
        for line in lines:
            assert line.method
            assert abs(line.at) < 1 << 48


@fuzzed
@given(data=st.lists(st.binary(max_size=200), max_size=10).map(b"\n".join))
def test_random_bytes(tmp_path: Path, data: bytes) -> None:
    read(tmp_path / "log", data)


@fuzzed
@given(data=st.data())
def test_good_lines_with_bytes_changed_cut_and_put_in(tmp_path: Path, data: st.DataObject) -> None:
    line = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(line)))
        cut = data.draw(st.integers(0, 8))
        line[place : place + cut] = data.draw(st.binary(max_size=8))
    read(tmp_path / "log", bytes(line) + b"\n" + GOOD)


@given(data=st.binary(max_size=200))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
def test_a_damaged_archive_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log.gz").write_bytes(b"\x1f\x8b" + data)
    with AccessLog(tmp_path / "log.gz") as log, pytest.raises(AccessLogError, match="damaged"):
        list(log)


@pytest.mark.parametrize("number", range(len(corpus.ACCESS_LOG_LINES)))
def test_the_corpus_of_bad_lines(tmp_path: Path, number: int) -> None:
    began = time.process_time()
    read(tmp_path / "log", corpus.ACCESS_LOG_LINES[number] + b"\n" + GOOD + b"\n")
    assert time.process_time() - began < 2
