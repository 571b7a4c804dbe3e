"""The simulated year: its traffic is always the same, and what it measured is shown by month."""

import pytest

from benchmarks import year_page
from benchmarks.measure import Result, exact
from benchmarks.province import EARLIER_DAYS, Province, Traffic
from benchmarks.results import Report
from services.model.calendar import day_start_ms
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.model.site import DEFAULT_TIMEZONE

DAY = 20_089
FIRST_MS = day_start_ms(DAY, DEFAULT_TIMEZONE)
END_MS = FIRST_MS + 3_600_000


def report(*results: Result) -> dict[str, Report]:
    return {
        "year": Report(
            subject="year", measured_at="", quick=False, machine={}, results=list(results)
        )
    }


def test_every_run_has_the_same_hits_in_the_order_of_their_times() -> None:
    province = Province().times(0.01)
    made, again = (Traffic(province, DAY).hits(DAY, FIRST_MS, END_MS, 3_000) for _ in range(2))
    assert made == again
    assert sum(map(len, made.values())) == 3_000
    for partition, hits in made.items():
        times = [hit.at for hit in hits]
        assert times == sorted(times)
        assert FIRST_MS <= times[0] <= times[-1] < END_MS
        assert {hit.day for hit in hits} == {DAY}
        assert {partition_of(hit.site, DEFAULT_PARTITIONS) for hit in hits} == {partition}


def test_a_part_of_the_province_has_its_part_of_hits_and_pages() -> None:
    whole, part = Province(), Province().times(0.25)
    assert part.hits == whole.hits / 4
    assert part.flushes_a_day == whole.flushes_a_day / 4
    assert part.hits_a_flush == whole.hits_a_flush
    assert sum(part.shares()) == pytest.approx(1)
    pages = [sum(part.pages_of(share, day) for share in part.shares()) for day in (0, EARLIER_DAYS)]
    assert 0.3 * part.pages < pages[0] < pages[1] < part.pages


def test_the_table_has_a_row_a_curve_and_a_column_a_month() -> None:
    read = Result(
        what="1 months: read", value=4, unit="ms", low=3, high=5, runs=2, times=1.25,
        ceiling="empty store", curve="read", at=1,
    )  # fmt: skip
    of_both = [
        exact(f"{month} months: rows", month, "rows", curve="rows", at=month) for month in (12, 1)
    ]
    assert list(year_page.table(report(read, *of_both))) == [
        "| what | 1 months | 12 months |",
        "|---|---|---|",
        "| read | 4 ms (1.25 ×) |  |",
        "| rows | 1 rows | 12 rows |",
    ]
    assert list(year_page.table({})) == ["Not measured yet."]


def test_a_curve_needs_two_points() -> None:
    one, other = (
        exact(f"{month} months: disk of hits", month, "MB", curve="disk of hits", at=month)
        for month in (1, 12)
    )
    assert dict(year_page.plots(report(one))) == {}
    ((file, drawn),) = year_page.plots(report(one, other))
    assert file == "year-disk.svg"
    assert "disk of hits" in drawn
