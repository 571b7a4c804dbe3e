"""What the documents say of speed and size is what was measured."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import documents, goals, skew
from benchmarks.__main__ import SUBJECTS
from benchmarks.documents import BLOCKS, DOCS, MEASURED
from benchmarks.goals import AT_LEAST, UNDER, Goal
from benchmarks.measure import Result, exact
from benchmarks.plan import Costs, Plan
from benchmarks.results import Report, read_all
from benchmarks.svg import Axis, chart

COSTS = Costs(
    ingest=100,
    redis=5,
    aggregator=10,
    clickhouse=4,
    read=50,
    log_bytes=70,
    raw_bytes=25,
    answer_bytes=500,
)


def report(*results: Result, quick: bool = False) -> Report:
    machine = {"commit": "abc", "changed_files": 0, "cpu": "a", "cores": 2}
    machine |= {"load_before": 0.1, "python": "3.11.2"}
    return Report(
        subject="ingest", measured_at="2026-01-01T00:00:00Z", quick=quick, machine=machine,
        results=list(results),
    )  # fmt: skip


@pytest.mark.parametrize("page", documents.pages(), ids=lambda page: page.name)
def test_every_generated_part_is_what_the_measurements_say(page: Path) -> None:
    text = page.read_text("utf-8")
    assert documents.fill(text, read_all(MEASURED)) == text


def test_the_plots_are_drawn_from_the_measurements() -> None:
    for name, drawn in documents.plots(read_all(MEASURED)).items():
        assert (DOCS / "img" / name).read_text("utf-8") == drawn, name


def test_what_is_in_the_documents_was_not_measured_in_a_hurry() -> None:
    reports = read_all(MEASURED)
    assert reports
    assert [name for name, of in reports.items() if of.quick] == []
    assert set(reports) <= set(SUBJECTS)


def test_every_goal_names_a_result_that_is_measured() -> None:
    reports = read_all(MEASURED)
    lost = [
        goal.text
        for goal in goals.GOALS
        if goal.subject in reports and goal.measured(reports) is None
    ]
    assert lost == []


def test_a_number_typed_by_hand_does_not_survive() -> None:
    page = "a\n<!-- generated: plan -->\n| hits a day | 12 |\n<!-- end -->\nb\n"
    filled = documents.fill(page, read_all(MEASURED))
    assert "| hits a day | 12 |" not in filled
    assert filled.startswith("a\n<!-- generated: plan -->\n| hits a day |")
    assert filled.endswith("<!-- end -->\nb\n")


def test_every_block_of_the_pages_is_known() -> None:
    for page in documents.pages():
        named = re.findall(r"<!-- generated: ([\w-]+) -->", page.read_text("utf-8"))
        assert set(named) <= set(BLOCKS)


def test_a_goal_is_met_on_its_own_side_of_the_limit() -> None:
    least = Goal("a", "ingest", "speed", AT_LEAST, 10, "/s")
    most = Goal("a", "ingest", "wait", UNDER, 10, "ms")
    assert (least.is_met(10), least.is_met(9.9)) == (True, False)
    assert (most.is_met(9.9), most.is_met(10)) == (True, False)
    assert least.measured({"ingest": report(exact("speed", 12, "/s"))}) == 12
    assert least.measured({}) is None


def test_a_goal_is_not_met_under_less_load_than_it_asks_for() -> None:
    goal = Goal("a", "ingest", "wait", UNDER, 10, "ms", at=("rate", 100))
    wait, rate = exact("wait", 5, "ms"), exact("rate", 99, "/s")
    assert not goal.reached({"ingest": report(wait, rate)})
    assert not goal.reached({"ingest": report(wait)})
    assert goal.reached({"ingest": report(wait, exact("rate", 100, "/s"))})


def test_a_result_is_written_and_read_as_it_was(tmp_path: Path) -> None:
    written = report(exact("speed", 12, "/s", curve="x", at=3))
    written.write(tmp_path)
    assert read_all(tmp_path) == {"ingest": written}
    (tmp_path / "other.json").write_text('{"subject": 3}')
    with pytest.raises(ValueError, match=r"other\.json: .* expected a report"):
        read_all(tmp_path)


def test_a_hundred_times_the_hits_take_a_hundred_times_the_cores() -> None:
    small, large = Plan(1e8, COSTS), Plan(1e10, COSTS)
    assert small.peak == pytest.approx(3472, abs=1)
    assert small.cores(COSTS.ingest) == pytest.approx(0.694, abs=0.001)
    assert large.cores(COSTS.ingest) == pytest.approx(100 * small.cores(COSTS.ingest))
    assert small.processes(COSTS.ingest) == 2
    assert small.log_gigabytes == pytest.approx(7)
    assert small.raw_terabytes == pytest.approx(1)
    assert large.redis_nodes == 4
    assert large.clickhouse_nodes == 13


def test_a_missing_measurement_is_named() -> None:
    with pytest.raises(ValueError, match=r"'ingest: processor time' of ingest; measure it"):
        Costs.of({})


def test_workers_are_bounded_by_partitions_and_by_the_largest_site() -> None:
    for points in skew.simulate(sites=500, tries=3).values():
        busy = [point.busy for point in points]
        assert busy == sorted(busy)
        for point in points:
            assert 1 <= point.busy <= min(point.partitions, 1 / point.largest) + 1e-9
            assert point.hottest == pytest.approx(point.partitions / point.busy)


def test_a_chart_is_an_image_with_a_line_for_each_curve() -> None:
    drawn = chart(
        "a < b", Axis("x", logarithmic=True), Axis("y"), {"one": [(1, 2), (100, 4)], "b": [(1, 1)]}
    )
    root = ElementTree.fromstring(drawn)
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    (first, last) = lines[0].attrib["points"].split()
    assert len(lines) == 2
    assert float(first.split(",")[0]) < float(last.split(",")[0])
    assert float(first.split(",")[1]) > float(last.split(",")[1]), "more is higher up"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 ms"), (0.123, "0.12 ms"), (99.4, "99 ms"), (99.7, "100 ms"), (1234.5, "1,234 ms")],
)
def test_a_number_has_as_many_digits_as_mean_something(value: float, shown: str) -> None:
    assert goals.number(value, "ms") == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(1.248, "1.25 s"), (1.152, "1.15 s"), (1.2, "1.2 s"), (1.3, "1.3 s")]
)
def test_a_number_that_misses_a_goal_by_little_does_not_look_like_it(
    value: float, shown: str
) -> None:
    goal = Goal("a page", "page", "all", UNDER, 1.2, "s")
    assert goals.beside(value, goal) == shown
