"""`POST /api/v2/query`: the numbers of version 1, against an independent computation."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import msgspec
import pytest

from services.api.app import Api
from services.api.stats.grammar.measures import Measure, change
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.grammar.traffic_sources import traffic_sources
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import Row, StatsResult
from services.model.calendar import to_day
from services.model.hit import Hit
from tests.integration.api import changes
from tests.integration.stats.expected import TOGETHER, Seen, grouped, measures, wall_hour

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARCH = ["2024-03-01", "2024-03-31"]
COUNTS = ["visitors", "visits", "pageviews"]


async def post(client: httpx.AsyncClient, **query: Any) -> httpx.Response:
    body = {"site_id": "newyork", "metrics": COUNTS, "date_range": MARCH, **query}
    return await client.post("/api/v2/query", json=body)


async def answer(client: httpx.AsyncClient, **query: Any) -> Any:
    response = await post(client, **query)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture(scope="module")
def march(seen: dict[str, list[Seen]]) -> list[Seen]:
    first, last = (to_day(date.fromisoformat(day)) for day in MARCH)
    return [each for each in seen["newyork"] if first <= each.hit.day <= last]


async def test_one_row_has_every_metric_in_the_order_asked(
    client: httpx.AsyncClient, march: list[Seen]
) -> None:
    found = await answer(client, metrics=[*reversed(TOGETHER), "events"])
    expected = measures(march)
    assert found["results"] == [
        {
            "metrics": [*(expected[name] for name in reversed(TOGETHER)), expected["pageviews"]],
            "dimensions": [],
        }
    ]
    assert found["query"]["date_range"] == [
        "2024-03-01T00:00:00-05:00",
        "2024-03-31T23:59:59-04:00",
    ]
    assert found["query"]["site_id"] == "newyork"
    counts = found["results"][0]["metrics"][-1:]
    assert [type(one) for one in counts] == [int], "typed clients read counts as whole numbers"


@pytest.mark.parametrize("by", ["day", "month", "hour"])
async def test_rows_of_time_are_those_with_hits_and_labels_those_of_all(
    client: httpx.AsyncClient, march: list[Seen], by: str
) -> None:
    days = MARCH if by != "hour" else ["2024-03-08", "2024-03-11"]
    found = await answer(
        client,
        date_range=days,
        metrics=["visits", "pageviews"],
        dimensions=[f"time:{by}"],
        include={"time_labels": True},
    )
    within = [each for each in march if days[0] <= str(date.fromordinal(719163 + each.hit.day))]
    within = [each for each in within if str(date.fromordinal(719163 + each.hit.day)) <= days[1]]
    keys = {
        "day": lambda hit: date.fromordinal(719163 + hit.day).isoformat(),
        "month": lambda hit: "2024-03-01",
        "hour": lambda hit: wall_hour(hit, "America/New_York"),
    }
    expected = {
        name: [of["visits"], of["pageviews"]]
        for name, of in grouped(within, keys[by]).items()
        if of["visits"] or of["pageviews"]
    }
    rows = {row["dimensions"][0]: row["metrics"] for row in found["results"]}
    assert rows == expected
    assert list(rows) == sorted(rows)
    # The clocks were set forward on the 10th.
    assert len(found["meta"]["time_labels"]) == {"day": 31, "month": 1, "hour": 4 * 24 - 1}[by]


@pytest.mark.parametrize(
    ("dimension", "field", "words"),
    [
        ("visit:country", "country", {"": "(not set)"}),
        ("visit:region", "region", {"": "(not set)"}),
        ("visit:source", "source", {"": "Direct / None"}),
        ("visit:device", "device", {"": "(not set)", "desktop": "Desktop", "mobile": "Mobile"}),
        ("event:page", "path", {}),
    ],
)
async def test_rows_of_a_dimension_have_plausibles_words(
    client: httpx.AsyncClient,
    march: list[Seen],
    dimension: str,
    field: str,
    words: dict[str, str],
) -> None:
    found = await answer(client, dimensions=[dimension], include={"total_rows": True})

    def called(hit: Hit) -> str:
        value: str = getattr(hit, field)
        return traffic_sources().called(value) if field == "source" else value

    expected = grouped(march, called, of_pages=field == "path")
    expected = {name: of for name, of in expected.items() if of["pageviews"]}
    rows = {row["dimensions"][0]: row["metrics"] for row in found["results"]}
    assert rows == {
        words.get(name, name): [of[measure] for measure in COUNTS] for name, of in expected.items()
    }
    assert found["meta"]["total_rows"] == len(rows)
    most = [row["metrics"][0] for row in found["results"]]
    assert most == sorted(most, reverse=True)


async def test_rows_are_in_the_order_and_of_the_page_that_is_asked(
    client: httpx.AsyncClient,
) -> None:
    whole = (await answer(client, dimensions=["event:page"]))["results"]
    query = {"dimensions": ["event:page"], "order_by": [["event:page", "asc"]]}
    by_name = (await answer(client, **query))["results"]
    assert by_name == sorted(whole, key=lambda row: str(row["dimensions"]))
    part = await answer(client, **query, pagination={"limit": 2, "offset": 1})
    assert part["results"] == by_name[1:3]
    few = await answer(client, dimensions=["event:page"], order_by=[["pageviews", "asc"]])
    views = [row["metrics"][2] for row in few["results"]]
    assert views == sorted(views)


@pytest.mark.parametrize(
    ("filters", "same"),
    [
        ([["is", "visit:country", ["VN", "US"]]], "visit:country==VN|US"),
        ([["is_not", "visit:country", ["VN"]]], "visit:country!=VN"),
        ([["contains", "event:page", ["tin-tuc"]]], "event:page==*tin-tuc*"),
        ([["contains_not", "event:page", ["tin|tuc"]]], "event:page!=*tin\\|tuc*"),
        ([["matches", "event:page", ["^/l.*"]]], "event:page==/l*"),
        ([["matches", "event:page", ["^/l$", "\\.html$"]]], "event:page==/l|*.html"),
        ([["matches_wildcard", "event:page", ["/tin-tuc/**"]]], "event:page==/tin-tuc/*"),
        ([["not", ["is", "visit:os", ["iOS"]]]], "visit:os!=iOS"),
        (
            [["or", [["is", "visit:country", ["VN"]], ["is", "visit:country", ["FR"]]]]],
            "visit:country==VN|FR",
        ),
        (
            [["not", ["or", [["is", "visit:os", ["iOS"]], ["is", "visit:country", ["FR"]]]]]],
            "visit:os!=iOS;visit:country!=FR",
        ),
        (
            [["and", [["is", "visit:device", ["Desktop"]], ["is", "visit:country", ["VN"]]]]],
            "visit:device==desktop;visit:country==VN",
        ),
    ],
)
async def test_filters_take_what_the_same_filters_of_version_1_take(
    client: httpx.AsyncClient, filters: list[Any], same: str
) -> None:
    [row] = (await answer(client, filters=filters))["results"]
    old = await client.get(
        "/api/v1/stats/aggregate",
        params={
            "site_id": "newyork",
            "period": "custom",
            "date": ",".join(MARCH),
            "metrics": ",".join(COUNTS),
            "filters": same,
        },
    )
    assert row["metrics"] == [old.json()["results"][name]["value"] for name in COUNTS]
    assert any(row["metrics"])


async def test_version_1_answers_with_plausibles_words_and_takes_luots_too(
    client: httpx.AsyncClient,
) -> None:
    query = {"site_id": "newyork", "period": "12mo"}
    answers = []
    for name in ("Desktop", "desktop", "Desk*"):
        asked = {**query, "property": "visit:device", "filters": f"visit:device=={name}"}
        response = await client.get("/api/v1/stats/breakdown", params=asked)
        answers.append(response.json()["results"])
    assert answers[0] == answers[1] == answers[2]
    assert [row["device"] for row in answers[0]] == ["Desktop"]
    old = await client.get("/api/v1/stats/breakdown", params=query | {"property": "visit:os"})
    body = {"date_range": "12mo", "metrics": ["visitors"], "dimensions": ["visit:os"]}
    new = await answer(client, **body)
    names = [row["os"] for row in old.json()["results"]]
    assert names == [row["dimensions"][0] for row in new["results"]]
    assert "macOS" not in names


async def test_a_misspelt_parameter_is_named_with_the_right_one(client: httpx.AsyncClient) -> None:
    site = {"site_id": "newyork"}
    for path, wrong, near in (
        ("/api/v1/stats/aggregate", {"perod": "30d", **site}, "period"),
        ("/api/v1/stats/breakdown", {"proprety": "visit:os", **site}, "property"),
        ("/api/v1/table", {"perod": "30d"}, "period"),
        ("/api/v1/sites", {"limt": "3"}, "limit"),
        ("/api/admin/audit", {"limt": "3"}, "limit"),
    ):
        refused = await client.get(path, params=wrong)
        assert (refused.status_code, list(refused.json()["errors"])) == (400, list(wrong)[:1]), path
        assert f"perhaps '{near}'" in refused.text
    refused = await client.post("/api/v2/query", json={**site, "metrcs": ["visits"]})
    assert "metrcs: there is no such parameter; expected perhaps 'metrics'" in refused.text
    assert (
        await client.post("/api/v2/query", params={"period": "day"}, json={})
    ).status_code == 400
    # What clients of Plausible send, needed or not.
    for route, more in (
        ("aggregate", {"interval": "date", "with_imported": "true", "limit": "5"}),
        ("realtime/visitors", {"period": "day", "auth": "x"}),
    ):
        taken = await client.get(f"/api/v1/stats/{route}", params={**site, **more})
        assert taken.status_code == 200, taken.text
    assert (await client.get("/api/v1/sites", params={"team_id": "1"})).status_code == 200


async def test_times_are_hours_of_the_site(client: httpx.AsyncClient, march: list[Seen]) -> None:
    # 08:00 to 17:59 in New York.
    times = ["2024-03-12T12:00:00Z", "2024-03-14T17:59:59-04:00"]
    begin, end = (datetime.fromisoformat(text).timestamp() * 1000 for text in times)
    within = [each for each in march if begin <= each.hit.at < end + 1000]
    expected = measures(within)
    found = await answer(client, date_range=times, metrics=["visits", "pageviews"])
    assert found["results"][0]["metrics"] == [expected["visits"], expected["pageviews"]]
    assert found["query"]["date_range"] == ["2024-03-12T08:00:00-04:00", times[1]]
    hours = await answer(client, date_range=times, metrics=["pageviews"], dimensions=["time:hour"])
    assert sum(row["metrics"][0] for row in hours["results"]) == expected["pageviews"]
    whole = await answer(
        client, date_range=["2024-03-01T05:00:00+00:00", "2024-04-01T03:59:59+00:00"]
    )
    assert whole["results"] == (await answer(client))["results"]
    refused = await post(client, date_range=times)
    assert "visitors of parts of days" in refused.json()["error"]


async def test_visits_of_a_page_are_not_added_up_over_hours(client: httpx.AsyncClient) -> None:
    asked = {
        "date_range": ["2024-03-12T12:00:00Z", "2024-03-14T17:59:59-04:00"],
        "filters": [["contains", "event:page", ["tin-tuc"]]],
    }
    refused = await post(client, metrics=["pageviews", "visits"], **asked)
    assert refused.status_code == 400, refused.text
    assert "visits of parts of days with a filter by event:page" in refused.json()["error"]
    (row,) = (await answer(client, metrics=["pageviews"], **asked))["results"]
    hours = await answer(client, metrics=["pageviews", "visits"], dimensions=["time:hour"], **asked)
    assert row["metrics"][0] == sum(hour["metrics"][0] for hour in hours["results"])


async def test_all_is_from_the_first_day_counted(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]]
) -> None:
    found = await answer(client, date_range="all")
    assert found["results"][0]["metrics"] == [measures(seen["newyork"])[name] for name in COUNTS]
    query = {"site_id": "newyork", "period": "all", "metrics": "pageviews"}
    old = await client.get("/api/v1/stats/timeseries", params=query)
    rows = old.json()["results"]
    assert sum(row["pageviews"] for row in rows) == found["results"][0]["metrics"][2]
    first = min(each.hit.day for each in seen["newyork"] if not each.hit.bot)
    assert rows[0]["date"] == str(date.fromordinal(719163 + first).replace(day=1))
    assert len(rows) == 36


@pytest.mark.parametrize("dimensions", [[], ["visit:country"]])
async def test_a_comparison_stands_beside_each_row(
    client: httpx.AsyncClient, seen: dict[str, list[Seen]], dimensions: list[str]
) -> None:
    for compared, (first, last) in {
        "previous_period": ("2024-02-01", "2024-02-29"),
        "year_over_year": ("2023-03-01", "2023-03-31"),
        "custom": ("2023-06-01", "2023-06-10"),
    }.items():
        asked = {"mode": compared} | ({"date_range": [first, last]} if compared == "custom" else {})
        found = await answer(client, dimensions=dimensions, include={"comparisons": asked})
        days = range(to_day(date.fromisoformat(first)), to_day(date.fromisoformat(last)) + 1)
        then = [each for each in seen["newyork"] if each.hit.day in days]
        by = grouped(then, lambda hit: (hit.country or "(not set)") if dimensions else "")
        for row in found["results"]:
            of = by.get((row["dimensions"] or [""])[0], measures([]))
            beside = row["comparison"]
            assert beside["metrics"] == [of[name] for name in COUNTS]
            assert beside["dimensions"] == row["dimensions"]
            assert beside["change"] == [
                change(Measure(name), now, before)
                for name, now, before in zip(COUNTS, row["metrics"], beside["metrics"], strict=True)
            ]


async def test_the_earlier_rows_are_gone_through_once_however_many_rows_there_are(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []

    class Counted(list[Row]):
        def __iter__(self) -> Iterator[Row]:
            passes.append(len(self))
            return super().__iter__()

    read = StatsReader.breakdown

    async def counted(
        self: StatsReader, query: StatsQuery, breakdown: BreakdownQuery
    ) -> StatsResult:
        result = await read(self, query, breakdown)
        is_earlier = query.span.first < to_day(date.fromisoformat(MARCH[0]))
        return StatsResult(Counted(result.rows), result.warnings) if is_earlier else result

    monkeypatch.setattr(StatsReader, "breakdown", counted)
    found = await answer(
        client,
        dimensions=["event:page"],
        include={"comparisons": {"mode": "previous_period"}},
    )
    assert len(found["results"]) > 2
    assert all(row["comparison"]["metrics"] for row in found["results"])
    assert len(passes) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"metrics": []}, "metrics"),
        ({"metrics": ["conversion_rate"]}, "metrics"),
        ({"metrics": ["visits,pageviews"]}, "metrics"),
        ({"metrics": ["views_per_visit"], "dimensions": ["event:page"]}, "metrics"),
        ({"date_range": "24h"}, "date_range"),
        ({"date_range": "custom"}, "date_range"),
        ({"date_range": 7}, "date_range"),
        ({"date_range": ["2024-03-01"]}, "date_range"),
        ({"date_range": ["2024-03-31", "2024-03-01"]}, "date_range"),
        ({"date_range": ["2024-03-01", "2024-03-31T00:00:00Z"]}, "date_range"),
        ({"date_range": ["2024-03-31T00:00:00Z", "2024-03-01T00:00:00Z"]}, "date_range"),
        ({"date_range": ["2024-03-01T00:10:00Z", "2024-03-01T05:00:00Z"]}, "date_range"),
        ({"date_range": ["0001-01-01T00:00:00+14:00", "2024-03-01T05:00:00Z"]}, "date_range"),
        ({"date_range": ["2024-03-01T08:00:00Z", "2024-05-01T05:00:00Z"]}, "date_range"),
        ({"dimensions": ["visit:city"]}, "dimensions"),
        ({"dimensions": ["time:minute"]}, "dimensions"),
        ({"dimensions": ["visit:os", "visit:browser"]}, "dimensions"),
        ({"dimensions": ["time:hour"], "date_range": "12mo"}, "dimensions"),
        ({"order_by": [["bounce_rate", "desc"]]}, "order_by"),
        ({"order_by": [["visits", "down"]]}, "order_by"),
        ({"filters": [["is", "visit:city", ["Paris"]]]}, "filters"),
        ({"filters": [["is", "visit:os", []]]}, "filters"),
        ({"filters": [["is", "visit:os", [""]]]}, "filters"),
        ({"filters": [["has_done", ["is", "event:goal", ["a"]]]]}, "filters"),
        ({"filters": [["matches", "event:page", ["a|b"]]]}, "filters"),
        ({"filters": [["is", "visit:os", ["a"], {"case_sensitive": False}]]}, "filters"),
        (
            {"filters": [["or", [["is", "visit:os", ["a"]], ["is", "visit:device", ["b"]]]]]},
            "filters",
        ),
        ({"filters": [[]]}, "filters"),
        ({"pagination": {"limit": 0}}, "pagination.limit"),
        ({"pagination": {"limit": "5"}}, "pagination.limit"),
        ({"include": {"total_rows": 1}}, "include.total_rows"),
        ({"include": {"time_labels": "yes"}}, "include.time_labels"),
        ({"include": {"comparisons": {"mode": "custom"}}}, "include.comparisons.date_range"),
        ({"nothing": 1}, "nothing"),
    ],
)
async def test_what_cannot_be_answered_is_refused_by_its_field(
    client: httpx.AsyncClient, query: dict[str, Any], field: str
) -> None:
    response = await post(client, **query)
    assert response.status_code == 400, response.text
    assert list(response.json()["errors"]) == [field]
    assert response.json()["error"].startswith(f"{field}: ")


async def test_who_may_not_read_a_site_learns_nothing_of_it(
    api: Api, client: httpx.AsyncClient
) -> None:
    stranger = {"Authorization": "Bearer wrong"}
    for content in (b"{", b"[]", b'{"site_id": "newyork"}', b'{"site_id": "nobody"}'):
        response = await client.post("/api/v2/query", content=content, headers=stranger)
        assert (response.status_code, list(response.json()["errors"])) == (401, ["authorization"])
        assert response.json()["error"]
    assert (await post(client, site_id="nobody")).status_code == 404
    assert (await client.post("/api/v2/query", content=b"{")).status_code == 400
    assert (await client.post("/api/v2/query", content=b" " * 70_000)).status_code == 413
    site = api.registry.get("howe")
    assert site is not None
    public = msgspec.structs.replace(site, public_dashboard=True, hidden_pages=("/l",))
    await changes.save(api, public)
    try:
        query = {"site_id": "howe", "date_range": "all", "dimensions": ["event:page"]}
        theirs = await answer(client, **query)
        shown = await client.post(
            "/api/v2/query", json={"metrics": COUNTS, **query}, headers={"Authorization": ""}
        )
        assert shown.status_code == 200, shown.text
        assert [row for row in theirs["results"] if row["dimensions"] != ["/l"]] == shown.json()[
            "results"
        ]
        assert shown.json()["results"] != theirs["results"]
    finally:
        await changes.save(api, site)


async def test_another_method_is_told_which_there_are(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v2/query")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


async def test_the_dates_are_told_as_times_of_the_site(client: httpx.AsyncClient) -> None:
    found = await answer(client, site_id="portal-1", date_range=["2024-03-01", "2024-03-01"])
    first = datetime.fromisoformat(found["query"]["date_range"][0])
    assert first.astimezone(UTC).isoformat() == "2024-02-29T17:00:00+00:00"


async def test_the_description_says_what_is_required(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    required = {
        (path, parameter["name"])
        for path in paths
        if path.startswith("/api/v1/stats/")
        for parameter in paths[path]["get"]["parameters"]
        if parameter["required"]
    }
    stats = "/api/v1/stats"
    assert required == {
        *((f"{stats}/{name}", "site_id") for name in ("aggregate", "timeseries", "breakdown")),
        (f"{stats}/realtime/visitors", "site_id"),
        (f"{stats}/breakdown", "property"),
    }
    body = paths["/api/v2/query"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert body["required"]
    assert schema["required"] == ["site_id", "metrics", "date_range"]
    assert "$ref" not in str(schema)
