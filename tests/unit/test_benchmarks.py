"""The benchmarks run as `make bench` runs them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from benchmarks import __main__ as command
from benchmarks import backlog, busy_sites, portals, workload
from benchmarks.measure import Result, compare, exact, summary
from benchmarks.results import Report, read_all
from services.log import batch

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_a_subject_is_measured_and_written_down_with_its_machine(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    done = run("--quick", "fold", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    assert [file.name for file in folder.iterdir()] == ["fold.json"]
    report = json.loads((folder / "fold.json").read_text())
    assert report["subject"] == "fold"
    assert report["quick"] is True
    assert {"cpu", "cores", "python", "commit", "versions"} <= set(report["machine"])
    for result in report["results"]:
        assert result["low"] <= result["value"] <= result["high"]
        assert result["value"] > 0
        assert ("times" in result) == ("ceiling" in result)
    assert any("times" in result for result in report["results"])


def test_an_unknown_subject_is_named() -> None:
    done = run("fould")
    assert done.returncode == 2
    assert "'fould' is not a subject; expected one of batches, fold, " in done.stderr


def test_a_subject_that_fails_leaves_what_it_had_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*, quick: bool) -> Iterator[Result]:
        yield exact("0 months: rows", 1, "rows")
        yield exact("1 months: rows", 2, "rows")
        raise OSError("the disk is full")

    def whole(*, quick: bool) -> Iterator[Result]:
        yield exact("0 months: rows", 1, "rows")

    monkeypatch.setattr(sys, "argv", ["benchmarks", "year", "--out", str(tmp_path)])
    monkeypatch.setitem(command.SUBJECTS, "year", failing)
    with pytest.raises(OSError, match="the disk is full"):
        command.main()
    (left,) = tmp_path.iterdir()
    assert [result.value for result in Report.read(left).results] == [1, 2]
    # The pages are not written from it.
    assert read_all(tmp_path) == {}

    monkeypatch.setitem(command.SUBJECTS, "year", whole)
    command.main()
    assert [file.name for file in tmp_path.iterdir()] == ["year.json"]
    assert [result.value for result in read_all(tmp_path)["year"].results] == [1]


def test_reads_of_the_store_are_told_apart_by_their_cause() -> None:
    served = """# HELP luot_value_reads_total Reads
# TYPE luot_value_reads_total counter
luot_value_reads_total{cause="changed"} 3.0
luot_value_reads_total{cause="net"} 1.0
# HELP luot_told_partitions Partitions
# TYPE luot_told_partitions gauge
luot_told_partitions 512.0
"""
    assert busy_sites.reads_by_cause(served) == {"changed": 3, "net": 1}


def test_every_run_measures_the_same_hits() -> None:
    hits = workload.hits(500)
    workload.page_views.cache_clear()
    workload.hits.cache_clear()
    assert workload.hits(500) == hits
    assert len({hit.path for hit in hits}) > 50
    assert 0 < sum(hit.bot for hit in hits) < 50


def test_a_repeated_hit_is_of_another_visitor_and_has_the_id_of_a_view() -> None:
    hits = backlog.hits(1_790_000_000_000, portals.views(300))[:100]
    wire, fresh, laps = msgspec.msgpack.decode(batch.encode(hits)), backlog.Fresh(), []
    for _ in range(2):
        fresh.begin_lap()
        fresh.renew(wire)
        laps.append(batch.decode(msgspec.msgpack.encode(wire)))
    first, second = (set(lap.visitor) for lap in laps)
    assert len(first) == len(second) == len({hit.visitor for hit in hits})
    assert not first & second
    assert len({view for lap in laps for view in lap.view_id} - {0}) == 200


def test_works_take_turns_after_one_round_that_does_not_count() -> None:
    calls: list[str] = []
    results = compare(
        {"least": lambda: calls.append("least"), "own": lambda: calls.append("own")}, 1, 3, "least"
    )
    assert calls == ["least", "own"] * 4
    assert [result.runs for result in results] == [3, 3]
    assert [result.ceiling for result in results] == [None, "least"]


def test_a_ratio_is_the_median_of_the_ratios_of_the_runs() -> None:
    result = summary("own", [2.0, 9.0, 6.0], {"least": [1.0, 3.0, 3.0]}, "least")
    assert (result.low, result.value, result.high) == (2.0, 6.0, 9.0)
    assert result.times == 2.0
