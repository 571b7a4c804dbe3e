"""The grammar of filters, and periods on the calendar."""

import re
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.api.stats.grammar.filters import FILTERED, Filter, Property, parse
from services.api.stats.grammar.site_query import filters_of, values_of
from services.api.stats.periods.spans import (
    QUARTER_MS,
    Interval,
    Period,
    Span,
    hours_of,
    interval_of,
    joined,
    span_of,
)
from services.api.stats.queries.columns import fitting
from services.http.errors import ApiError
from services.model.calendar import to_day
from services.model.site import Site
from services.store.drivers.parameters import bind

TEXT = some.text(
    some.characters(codec="utf-8", exclude_categories=["Cs"]) | some.sampled_from("\\;|*=!%_' "),
    min_size=1,
    max_size=12,
)
# A piece between two wildcards may be empty; a value may not, and its ends are not kept if blank.
PATTERNS = (
    some.lists(TEXT, min_size=1, max_size=3)
    .map(tuple)
    .filter(
        lambda pattern: pattern[0] == pattern[0].lstrip() and pattern[-1] == pattern[-1].rstrip()
    )
)
FILTERS = some.builds(
    Filter,
    some.sampled_from(FILTERED),
    some.lists(PATTERNS, min_size=1, max_size=4).map(tuple),
    some.booleans(),
)


@given(some.lists(FILTERS, max_size=5))
def test_filters_are_read_as_they_were_written(filters: list[Filter]) -> None:
    assert parse(";".join(map(str, filters))) == tuple(filters)


@given(some.text(some.sampled_from("event:pagvisitoundr\\;|*=! %'"), max_size=60) | some.text())
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        filters = parse(text)
    except ApiError as error:
        refusal = error
    else:
        assert parse(";".join(map(str, filters))) == filters
        return
    assert (refusal.status, list(refusal.errors)) == (400, ["filters"])


@given(some.lists(FILTERS, max_size=3))
def test_no_value_becomes_part_of_the_statement(filters: list[Filter]) -> None:
    condition, values = fitting(filters)
    statement = bind(f"SELECT 1 WHERE {condition}", values)
    without = re.sub(r"'(?:[^'\\]|\\.)*'", "", statement, flags=re.DOTALL)
    assert re.fullmatch(r"[][A-Za-z0-9_ (),=>!]*", without), without


def test_marks_have_their_meaning_unless_escaped() -> None:
    assert parse("event:page==/blog/*;visit:country!=FR|DE") == (
        Filter(Property.PAGE, (("/blog/", ""),)),
        Filter(Property.COUNTRY, (("FR",), ("DE",)), negated=True),
    )
    assert parse(r"event:page==a\|b\;c\*d\\e\f") == (Filter(Property.PAGE, ((r"a|b;c*d\e\f",),)),)
    assert parse("event:page==/a==b!=c") == (Filter(Property.PAGE, (("/a==b!=c",),)),)
    assert parse(" visit:os == Linux ; ") == (Filter(Property.OS, (("Linux",),)),)
    assert parse("") == ()
    assert parse("visit:source==Direct / None")[0].values == [""]


def spelled(period: str, dates: str | None = None, today: str = "2024-03-31") -> str:
    return str(span_of(period, dates, to_day(date.fromisoformat(today))))


def test_periods_end_with_their_date_or_hold_it() -> None:
    assert spelled("day") == "2024-03-31 to 2024-03-31"
    assert spelled("7d") == "2024-03-25 to 2024-03-31"
    assert spelled("30d", "2024-03-01") == "2024-02-01 to 2024-03-01"
    assert spelled("month", "2024-02-10") == "2024-02-01 to 2024-02-29"
    assert spelled("month", "2024-12-31") == "2024-12-01 to 2024-12-31"
    assert spelled("6mo") == "2023-10-01 to 2024-03-31"
    assert spelled("12mo", "2024-12-05") == "2024-01-01 to 2024-12-31"
    assert spelled("year", "2023-06-01") == "2023-01-01 to 2023-12-31"
    assert spelled("custom", "2024-01-01, 2024-01-31") == "2024-01-01 to 2024-01-31"
    assert spelled("quarter", "2024-02-29") == "2024-01-01 to 2024-03-31"
    assert spelled("half", "2024-12-31") == "2024-07-01 to 2024-12-31"
    assert spelled("nine_months", "2024-12-31") == "2024-01-01 to 2024-09-30"


def test_reports_end_on_the_14th() -> None:
    assert spelled("report_month", "2024-02-14") == "2024-01-15 to 2024-02-14"
    assert spelled("report_month", "2024-02-15") == "2024-02-15 to 2024-03-14"
    assert spelled("report_quarter", "2024-03-14") == "2023-12-15 to 2024-03-14"
    assert spelled("report_half", "2024-06-15") == "2024-06-15 to 2024-12-14"
    assert spelled("report_nine_months", "2024-05-01") == "2023-12-15 to 2024-09-14"
    assert spelled("report_year", "2023-12-31") == "2023-12-15 to 2024-12-14"


@given(
    some.sampled_from(
        [p for p in Period if p is not Period.CUSTOM and not p.endswith("nine_months")]
    ),
    some.dates(date(2000, 1, 1), date(2100, 1, 1)),
)
def test_every_period_holds_its_date(period: Period, day: date) -> None:
    span = span_of(period, day.isoformat(), 0)
    assert span.first <= to_day(day) <= span.last


def test_the_interval_follows_the_period_as_with_plausible() -> None:
    span = Span(19_000, 19_000)
    assert interval_of(None, "day", span) is Interval.HOUR
    assert interval_of(None, "12mo", span) is Interval.MONTH
    assert interval_of(None, "30d", span) is Interval.DATE
    assert interval_of("day", "12mo", span) is Interval.DATE


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Ho_Chi_Minh", "2024-03-10", 24),
        ("America/New_York", "2024-03-10", 23),
        ("America/New_York", "2024-11-03", 25),
        ("Asia/Kathmandu", "2024-03-10", 24),
        ("Australia/Lord_Howe", "2024-10-06", 24),
        ("America/Sao_Paulo", "2018-11-04", 23),
    ],
)
def test_a_day_has_as_many_hours_as_its_clocks_show(zone: str, day: str, hours: int) -> None:
    number = to_day(date.fromisoformat(day))
    site = Site(slug="x", timezone=zone)
    found = hours_of(Span(number, number), site)
    assert len(found.labels) == hours
    assert all(label.startswith(day) for label in found.labels)
    next_day = hours_of(Span(number + 1, number + 1), site)
    assert found.start_ms + len(found.quarters) * QUARTER_MS == next_day.start_ms


@given(
    some.lists(
        some.builds(
            lambda first, more: Span(first, first + more),
            some.integers(11_000, 11_050),
            some.integers(0, 9),
        )
    )
)
def test_joined_spans_hold_each_day_once_and_touch_nowhere(spans: list[Span]) -> None:
    found = joined(spans)
    days = {day for span in spans for day in range(span.first, span.last + 1)}
    assert [day for span in found for day in range(span.first, span.last + 1)] == sorted(days)
    assert all(one.last + 1 < other.first for one, other in pairwise(found))


def test_a_form_has_a_field_for_each_property_and_keeps_what_none_can_say() -> None:
    text = "event:page==/a/*|/b\\;1;visit:country!=VN;visit:source==x.example"
    values, other = values_of(text)
    assert values == {"page": "/a/*|/b;1", "source": "x.example"}
    assert other == "visit:country!=VN"
    again = filters_of(values, other)
    assert set(parse(again)) == set(parse(text))
    assert values_of("event:page=/a") == ({}, "event:page=/a"), "what is wrong is shown as it is"
    assert values_of("visit:os==a;visit:os==b") == ({"os": "a"}, "visit:os==b")
    assert filters_of({}, "") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("event:page==" + "|".join(f"/{number}*" for number in range(21)), "21 patterns with *"),
        (
            ";".join(f"event:page!=/{number}/*" for number in range(20)) + ";visit:os==*x*",
            "of them",
        ),
        (";".join("event:page==/a*|/b*" for _ in range(11)), "22 patterns with *"),
        ("event:page==/" + "a*" * 6, "at most 5 times *"),
        ("event:page==/" + "ế" * 200, "at most 512 bytes"),
        ("event:page==/a*" + "b" * 600, "at most 512 bytes"),
        ("event:page==" + "|".join("/" + "x" * 400 for _ in range(50)), "at most 16000"),
    ],
)
def test_filters_that_are_dear_to_hold_against_every_hit_are_refused(text: str, said: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(text)
    assert (refused.value.status, list(refused.value.errors)) == (400, ["filters"])
    assert said in refused.value.errors["filters"]


@pytest.mark.parametrize("text", [" " * 15_000 + "x", "x" + " " * 15_000 + "=", "\t=" * 7_000])
def test_a_filter_of_blanks_is_refused_before_the_reader_gives_up(text: str) -> None:
    # It was held against each place where a name may begin and end: for hours.
    with pytest.raises(ApiError):
        parse(text)


def test_blanks_around_a_property_and_its_values_mean_nothing() -> None:
    assert parse(" event:page \n==\t/tin/1 ") == parse("event:page==/tin/1")
    assert parse("event:page!= = ") == parse("event:page!==")


def test_what_people_filter_by_is_taken() -> None:
    assert len(parse("event:page==" + "|".join(f"/tin-tuc/{n}" for n in range(100)))) == 1
    assert len(parse(";".join(f"event:page!=/{n}/*" for n in range(20)))) == 20
    assert parse("event:page==/" + "*a" * 5)[0].wildcards


def test_a_filter_takes_a_value_as_its_patterns_say() -> None:
    for text, takes, not_these in (
        ("/tin/*", ["/tin/", "/tin/a"], ["/tin", "/a/tin/"]),
        ("*a*b*", ["ab", "xaxbx"], ["ba", "a"]),
        ("/a*a", ["/aa", "/a/a"], ["/a"]),
        ("/a|/b*", ["/a", "/b", "/bc"], ["/ab"]),
        ("*" * 5, ["", "x"], []),
    ):
        (of,) = parse(f"event:page=={text}")
        (other,) = parse(f"event:page!={text}")
        for value in (*takes, *not_these):
            assert (value, of.takes(value)) == (value, value in takes)
            assert other.takes(value) is not of.takes(value)
