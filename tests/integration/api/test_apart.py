"""What is counted apart from views, as the dashboard and the Stats API show it."""

import csv
import io
from datetime import date
from typing import Any

import httpx
import msgspec
import pytest

from services.api.app import Api
from services.model.hit import Hit, Visit
from services.model.kept_apart import Apart, name_of
from services.model.site import Site
from services.store.interface import Store
from services.store.records import sites
from tests.integration.api.people import ADMIN, add_user, browser
from tests.integration.api.taken_back import TODAY, at, count, view
from tests.integration.api.world import EITHER_STORE, SITE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

DAY = {"period": "day", "date": "2024-01-03"}
ENGLISH = {"Accept": "text/html", "Accept-Language": "en", **ADMIN}
OLD = date(2023, 5, 2)
WORDS = "đất & nhà|100%_*;"


def apart(kind: Apart, path: str, source: str = "", site: str = "mytho", day: date = TODAY) -> Hit:
    hit = view(path, at("08:00", day), 0, source=source, visit=Visit.CONTINUES)
    return msgspec.structs.replace(hit, site=name_of(site, kind))


HITS = [
    *(apart(Apart.NOT_FOUND, "/mat", "/tin-tuc/1") for _ in range(3)),
    apart(Apart.NOT_FOUND, "/mat", "khac.example"),
    apart(Apart.NOT_FOUND, "/cu"),
    *(apart(Apart.SEARCHES, WORDS, "/") for _ in range(2)),
    apart(Apart.SEARCHES, "true", "/tin-tuc/1"),
    apart(Apart.SEARCHES, "(private)"),
    apart(Apart.SEARCHES, "=cmd()", "/"),
    apart(Apart.OUTBOUND, "dichvucong.example/a", "/"),
    *(apart(Apart.DOWNLOADS, "/qd-12.pdf") for _ in range(2)),
    view("/tin-tuc/1", at("09:00"), 1),
    view("/", at("09:05"), 1),
]


async def of_metric(client: httpx.AsyncClient, metric: str, **more: str) -> list[tuple[Any, ...]]:
    query = {"site_id": "mytho", "property": "event:page", "metrics": metric, **DAY, **more}
    answer = await client.get("/api/v1/stats/breakdown", params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return [tuple(row.values()) for row in answer.json()["results"]]


async def shown(client: httpx.AsyncClient, path: str = "", **query: str) -> str:
    answer = await client.get(f"/admin/sites/mytho{path}", params=DAY | query, headers=ENGLISH)
    assert answer.status_code == 200, answer.text
    return answer.text


async def rows(client: httpx.AsyncClient, panel: str, **query: str) -> list[list[str]]:
    answer = await client.get(
        f"/admin/sites/mytho/all/{panel}/csv", params=DAY | query, headers=ENGLISH
    )
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text[1:])))


async def test_each_kind_is_a_metric_with_the_pages_that_led_to_it(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store, HITS)
    assert await of_metric(client, "not_found") == [("/mat", 4), ("/cu", 1)]
    assert await of_metric(client, "searches") == [
        (WORDS, 2), ("(private)", 1), ("=cmd()", 1), ("true", 1),
    ]  # fmt: skip
    assert await of_metric(client, "outbound_links") == [("dichvucong.example/a", 1)]
    assert await of_metric(client, "downloads") == [("/qd-12.pdf", 2)]
    # Where the broken link is.
    led = {"property": "visit:referrer", "filters": "event:page==/mat"}
    assert await of_metric(client, "not_found", **led) == [("/tin-tuc/1", 3), ("khac.example", 1)]
    # And none of it is a view.
    assert await of_metric(client, "pageviews") == [("/", 1), ("/tin-tuc/1", 1)]
    two = {"site_id": "mytho", "metrics": ["not_found"], "date_range": ["2024-01-03"] * 2}
    for more, results in (
        ({}, [([], [5])]),
        ({"dimensions": ["event:page"]}, [(["/mat"], [4]), (["/cu"], [1])]),
        ({"dimensions": ["time:day"]}, [(["2024-01-03"], [5])]),
    ):
        answer = await client.post("/api/v2/query", json=two | more, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        found = [(row["dimensions"], row["metrics"]) for row in answer.json()["results"]]
        assert found == results
    mixed = {"site_id": "mytho", "metrics": "searches,visits"}
    answer = await client.get("/api/v1/stats/aggregate", params=mixed, headers=ADMIN)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["metrics"])


async def test_each_kind_is_a_panel_that_opens_to_all_rows_and_to_their_pages(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store, HITS[-2:])
    empty = await shown(client)
    panels = ("not_found", "searches", "outbound_links", "downloads")
    assert not any(f'id="{panel}"' in empty for panel in panels)
    assert "data-404" in await shown(client, "/all/not_found"), "how to switch it on"
    await count(store, HITS)
    page = await shown(client)
    for panel in panels:
        assert f'id="{panel}"' in page
        assert f"/admin/sites/mytho/all/{panel}?period=day" in page
    # What somebody typed is no word of the page: "true" stays what it is.
    assert ">true</a>" in page
    assert "đất &amp; nhà|100%_*;" in page
    filtered = await shown(client, filters="visit:country==VN")
    assert 'id="searches"' not in filtered
    assert "Filters are about views" in await shown(
        client, "/all/searches", filters="visit:country==VN"
    )
    heads, *found = await rows(client, "searches")
    assert heads == ["words", "searches"]
    assert found == [[WORDS, "2"], ["(private)", "1"], ["'=cmd()", "1"], ["true", "1"]]
    assert await rows(client, "searches", search="NHA", sort="name") == [heads, [WORDS, "2"]]
    assert await rows(client, "not_found", of="/mat") == [
        ["page that led there", "times opened"], ["/tin-tuc/1", "3"], ["khac.example", "1"],
    ]  # fmt: skip
    led = await shown(client, "/all/searches", of="(private)")
    assert "Not named by the browser" in led
    led = await shown(client, "/all/searches", of=WORDS)
    assert "filters=event:page==/" in led, "a page of the site opens its traffic"
    vietnamese = await client.get(
        "/admin/sites/mytho/all/searches", params=DAY, headers=ENGLISH | {"Accept-Language": "vi"}
    )
    assert "Từ khóa tìm kiếm trên trang" in vietnamese.text
    for panel, query in (
        ("searches", {"of": "x" * 600}),
        ("downloads", {"of": "/qd-12.pdf"}),
        ("page", {"of": "/"}),
        ("searches", {"section": "/"}),
        ("searches", {"sort": "visits"}),
    ):
        answer = await client.get(
            f"/admin/sites/mytho/all/{panel}", params=query, headers={**ADMIN, "Accept": "*/*"}
        )
        assert (answer.status_code, list(answer.json()["errors"])) in (
            (400, list(query)), (400, ["section"]),
        )  # fmt: skip


async def test_what_anybody_may_invent_is_for_those_who_have_the_site(
    client: httpx.AsyncClient, api: Api, store: Store
) -> None:
    public = msgspec.structs.replace(SITE, public_dashboard=True, hidden_pages=("/qd-13.pdf",))
    await sites.save(store, public, 2)
    await sites.save(store, Site(slug="khac"), 2)
    await api.registry.refresh()
    await count(store, [*HITS, apart(Apart.DOWNLOADS, "/qd-13.pdf")])
    page = (await client.get("/public/mytho", params=DAY)).text
    assert 'id="downloads"' in page
    assert "/qd-12.pdf" in page
    assert "/qd-13.pdf" not in page
    for panel in ("not_found", "searches", "outbound_links"):
        assert f'id="{panel}"' not in page
        assert (await client.get(f"/public/mytho/all/{panel}")).status_code == 404
    await add_user(client, "lan", sites=("khac",))
    async with browser(client, "lan") as other:
        for asking, status in ((client, 401), (other, 403)):
            for metric, expected in (
                ("searches", status),
                ("not_found", status),
                ("downloads", 200),
            ):
                query = {"site_id": "mytho", "metrics": metric}
                answer = await asking.get("/api/v1/stats/aggregate", params=query)
                assert answer.status_code == expected
                body = {"site_id": "mytho", "metrics": [metric], "date_range": "7d"}
                answer = await asking.post("/api/v2/query", json=body)
                assert answer.status_code == expected


async def test_rows_of_days_whose_raw_hits_are_gone_come_from_counters(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store, [apart(Apart.SEARCHES, "đất", "/", day=OLD), *HITS])
    await store.execute("ALTER TABLE hits DROP PARTITION 202305")
    year = {"period": "custom", "date": "2023-05-01,2024-01-03"}
    assert (await of_metric(client, "searches", **year))[0] == (WORDS, 2)
    assert ("đất", 1) in await of_metric(client, "searches", **year)
    assert ["đất", "1"] in await rows(client, "searches", **year)
    led = await client.get(
        "/admin/sites/mytho/all/searches", params=year | {"of": "đất"}, headers=ADMIN
    )
    assert led.status_code == 200


async def test_merged_sites_are_added_up(client: httpx.AsyncClient, api: Api, store: Store) -> None:
    await sites.save(store, Site(slug="xa", merged_into="mytho"), 2)
    await api.registry.refresh()
    await count(store, [*HITS, apart(Apart.SEARCHES, WORDS, "/", site="xa")])
    assert (await of_metric(client, "searches"))[0] == (WORDS, 3)
    assert (await rows(client, "searches"))[1] == [WORDS, "3"]
