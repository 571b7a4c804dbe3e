"""Sites that get another name, sites that are made one, and pages with several addresses."""

from collections.abc import Sequence
from typing import Any

import httpx
import msgspec
import pytest

from services.api.app import Api
from services.model.calendar import EPOCH
from services.model.hit import Hit
from services.store.interface import Store
from tests.integration.api.people import ADMIN, add_user, audit, browser
from tests.integration.api.taken_back import at, count, view
from tests.integration.api.test_balances_page import ADMIN as HTML
from tests.integration.api.test_balances_page import hidden
from tests.integration.api.world import EITHER_STORE, Clock, write_balance

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

DAY = {"period": "day", "date": "2024-01-03"}
NUMBERS = ("total", "today", "this_month", "this_year")


async def admin(
    client: httpx.AsyncClient, method: str, path: str, body: object = None
) -> httpx.Response:
    return await client.request(method, f"/api/admin/sites{path}", json=body, headers=ADMIN)


async def done(client: httpx.AsyncClient, method: str, path: str, body: object = None) -> Any:
    answer = await admin(client, method, path, body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def add(client: httpx.AsyncClient, slug: str, **fields: object) -> None:
    body = {"slug": slug, "hosts": [f"{slug}.example"], "public_top": True, "top_min_visitors": 1}
    await done(client, "POST", "", {**body, **fields})


def views(site: str, *paths: str, begin: int = 1) -> list[Hit]:
    """Return one view of each path, each by a reader of its own."""
    return [
        msgspec.structs.replace(
            view(path, at("09:00") + number, number, source="a.example"), site=site
        )
        for number, path in enumerate(paths, begin)
    ]


async def counter(client: httpx.AsyncClient, site: str, **query: Any) -> Any:
    answer = await client.get(f"/api/counter/{site}", params={"metric": "views", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def total(client: httpx.AsyncClient, site: str, metric: str = "views") -> int:
    return int((await counter(client, site, metric=metric))["total"])


async def page(client: httpx.AsyncClient, site: str, path: str) -> int:
    return int((await counter(client, site, path=path))["paths"][path]["views"])


async def top(client: httpx.AsyncClient, site: str) -> list[tuple[str, int]]:
    answer = await client.get(f"/api/top/{site}", params={"period": "today"})
    assert answer.status_code == 200, answer.text
    return [(one["path"], one["views"]) for one in answer.json()["pages"]]


async def stats(client: httpx.AsyncClient, what: str, site: str, **query: str) -> Any:
    parameters = {"site_id": site, **DAY, "metrics": "pageviews,visitors", **query}
    answer = await client.get(f"/api/v1/stats/{what}", params=parameters, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


def later(clock: Clock, seconds: float = 20) -> None:
    """Let what is remembered expire."""
    clock.now += seconds


async def test_a_renamed_site_is_the_same_under_both_names(
    api: Api, client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(store, views("mytho", "/", "/tin/1", "/tin/1"))
    await add_user(client, "lan")
    assert await total(client, "mytho") == 3
    renamed = await done(client, "POST", "/mytho/rename", {"slug": "my-tho"})
    assert (renamed["slug"], renamed["former"]) == ("my-tho", ["mytho"])
    later(clock)
    for slug in ("my-tho", "mytho"):
        body = await counter(client, slug, path="/tin/1")
        assert (body["site"], body["total"]) == ("my-tho", 3)
        assert body["paths"]["/tin/1"]["views"] == 2
        assert (await stats(client, "aggregate", slug))["results"]["pageviews"]["value"] == 3
        assert (await done(client, "GET", f"/{slug}"))["slug"] == "my-tho"
        async with browser(client, "lan") as lan:
            assert (await lan.get(f"/api/admin/sites/{slug}")).status_code == 200
    users = (await client.get("/api/admin/users", headers=ADMIN)).json()["users"]
    assert [one["sites"] for one in users] == [["my-tho"]]
    # What was done under the old name is still the site's.
    assert "site.rename" in [one["action"] for one in await audit(client, site="mytho")]
    # The old name is taken, and free for the site itself only.
    taken = await admin(client, "POST", "", {"slug": "mytho"})
    assert taken.status_code == 409
    await add(client, "khac")
    assert (await admin(client, "POST", "/khac/rename", {"slug": "mytho"})).status_code == 409
    back = await done(client, "POST", "/my-tho/rename", {"slug": "mytho"})
    assert (back["slug"], back["former"]) == ("mytho", ["my-tho"])
    later(clock)
    assert await total(client, "my-tho") == 3
    await api.registry.refresh()
    assert [site.slug for site in api.registry.all()] == ["khac", "mytho"]


async def sums(client: httpx.AsyncClient, site: str) -> dict[str, Sequence[int]]:
    """Return what the public sees of a site in each measure."""
    shown: dict[str, Sequence[int]] = {}
    for metric in ("views", "visits", "visitors"):
        body = await counter(client, site, metric=metric)
        shown[metric] = [body[name] for name in NUMBERS]
    return shown


async def test_merged_sites_are_one_number_until_they_are_parted(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await add(client, "xa-a")
    await add(client, "tinh", public_dashboard=True)
    await count(store, [*views("xa-a", "/", "/", "/a"), *views("tinh", "/", "/b", begin=9)])
    await count(store, [*views("xa-a#downloads", "/a.pdf"), *views("tinh#downloads", "/b.pdf")])
    await write_balance(store, "xa-a", "old", "total", EPOCH, 100)
    own = {slug: await sums(client, slug) for slug in ("xa-a", "tinh")}
    assert own["xa-a"]["views"] == [1003, 3, 3, 3]
    merged = await done(client, "POST", "/xa-a/merge", {"into": "tinh"})
    assert merged["merged_into"] == "tinh"
    assert (await done(client, "GET", "/tinh"))["merged"] == ["xa-a"]
    later(clock)
    for slug in ("tinh", "xa-a", "xa-a.example"):
        assert (await counter(client, slug))["site"] == "tinh"
        together = await sums(client, slug)
        for metric, numbers in together.items():
            parts = zip(own["xa-a"][metric], own["tinh"][metric], strict=True)
            assert numbers == [one + other for one, other in parts], metric
        assert await top(client, slug) == [("/", 3), ("/a", 1), ("/b", 1)]
        assert await page(client, slug, "/") == 3
    answer = await stats(client, "aggregate", "tinh")
    assert {name: one["value"] for name, one in answer["results"].items()} == {
        "pageviews": 5,
        "visitors": 5,
    }
    assert "sums of tinh, xa-a" in answer["warnings"][0]
    pages = (await stats(client, "breakdown", "tinh", property="event:page"))["results"]
    assert [(one["page"], one["pageviews"]) for one in pages] == [("/", 3), ("/a", 1), ("/b", 1)]
    sources = (await stats(client, "breakdown", "tinh", property="visit:source"))["results"]
    assert [(one["source"], one["pageviews"]) for one in sources] == [("a.example", 5)]
    days = (await stats(client, "timeseries", "tinh", period="7d"))["results"]
    assert days[-1]["pageviews"] == 5
    hours = (await stats(client, "timeseries", "tinh"))["results"]
    assert sum(one["pageviews"] or 0 for one in hours) == 5
    files = await stats(client, "aggregate", "tinh", metrics="downloads")
    assert files["results"]["downloads"]["value"] == 2
    assert "sums of tinh, xa-a" in files["warnings"][0]
    alone = await stats(client, "aggregate", "xa-a")
    assert alone["results"]["pageviews"]["value"] == 3
    assert "merged into tinh" in alone["warnings"][0]
    # More hits of the old snippet count for both names.
    await count(store, views("xa-a", "/", begin=30))
    later(clock, 70)
    assert (await total(client, "tinh"), await total(client, "xa-a")) == (1006, 1006)
    for path, body in (
        ("/tinh/merge", {"into": "xa-a"}),
        ("/tinh/erase", {"confirm": "tinh"}),
        ("/xa-a/merge", {"into": "mytho"}),
    ):
        assert (await admin(client, "POST", path, body)).status_code == 409, path
    assert (await admin(client, "DELETE", "/tinh")).status_code == 409
    zone = {"timezone": "Asia/Tokyo"}
    assert (await admin(client, "PATCH", "/xa-a", zone)).status_code == 409
    await done(client, "DELETE", "/xa-a/merge")
    later(clock, 70)
    assert await sums(client, "tinh") == own["tinh"]
    assert (await sums(client, "xa-a"))["views"] == [1004, 4, 4, 4]
    actions = [one["action"] for one in await audit(client, site="xa-a")]
    assert actions[:2] == ["site.part", "site.merge"]


async def test_a_site_merged_into_one_that_is_merged_counts_in_both(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    for slug in ("xa", "huyen", "tinh"):
        await add(client, slug)
    await count(store, [hit for slug in ("xa", "huyen", "tinh") for hit in views(slug, "/")])
    await done(client, "POST", "/huyen/merge", {"into": "tinh"})
    await done(client, "POST", "/xa/merge", {"into": "huyen"})
    later(clock)
    assert [await total(client, slug) for slug in ("xa", "huyen", "tinh")] == [3, 3, 3]
    refused = await admin(client, "POST", "/tinh/merge", {"into": "xa"})
    assert refused.status_code == 409
    await done(client, "DELETE", "/huyen/merge")
    later(clock)
    assert [await total(client, slug) for slug in ("xa", "huyen", "tinh")] == [2, 2, 1]


async def test_what_is_typed_and_taken_back_is_of_the_sum_that_the_block_shows(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await add(client, "xa-b")
    await add(client, "quan", page_aliases=[{"address": "/cu", "page": "/moi"}])
    await count(store, [*views("xa-b", "/", "/moi"), *views("quan", "/", "/", "/cu", begin=9)])
    await write_balance(store, "xa-b", "old", "total", EPOCH, 100)
    await done(client, "POST", "/xa-b/merge", {"into": "quan"})
    later(clock)
    shown = await counter(client, "quan", path="/cu")
    assert (shown["total"], shown["today"], shown["paths"]["/cu"]["views"]) == (1005, 5, 2)
    before = {"before": 1005, "after": 1004}

    query = {"from": "2024-01-01T00:00", "filters": "event:page==/cu"}
    found = await done(client, "POST", "/quan/corrections/preview", query)
    assert found["numbers"]["views"]["total"] == before
    assert [(one["path"], one["total"]) for one in found["pages"]] == [
        ("/cu", {"before": 2, "after": 1})
    ]
    file = {"file": ("cu.csv", b"period,views\ntotal,7\n", "text/csv")}
    address = "/admin/sites/quan/balances"
    page_of_file = await client.post(f"{address}/file", files=file, headers=HTML)
    assert "1,005" in page_of_file.text
    assert "1,012" in page_of_file.text

    typed = {"total": "5000", "metric": "views", "look": "1"}
    form = await client.get(address, params=typed, headers=HTML)
    assert "1,005" in form.text
    frame = await client.get(f"{address}/block", params=typed, headers=HTML)
    assert "5.000" in frame.text
    entered = await client.post(
        address, params=typed, data={**hidden(form.text), "reason": "DNN"}, headers=HTML
    )
    assert entered.status_code == 303, entered.text
    later(clock)
    assert await total(client, "quan") == 5000


async def test_addresses_of_one_page_are_one_number(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await add(client, "cong")
    old, new = ["/tin-cu/1"] * 3, ["/tin/1"] * 2
    await count(store, views("cong", *old, *new, "/en/gioi-thieu", "/gioi-thieu", "/en"))
    await write_balance(store, "cong", "old", "total", EPOCH, 4, path="/tin-cu/1")
    aliases = [
        {"address": "/tin-cu/1", "page": "/tin/1"},
        {"address": "/en/*", "page": "/*"},
    ]
    edited = await done(client, "PATCH", "/cong", {"page_aliases": aliases})
    assert edited["page_aliases"] == aliases
    later(clock)
    for address in ("/tin-cu/1", "/tin/1"):
        assert await page(client, "cong", address) == 45
    for address in ("/en/gioi-thieu", "/gioi-thieu"):
        assert await page(client, "cong", address) == 2
    both = await counter(client, "cong", path=["/tin-cu/1", "/tin/1"])
    assert {name: one["views"] for name, one in both["paths"].items()} == {
        "/tin-cu/1": 45,
        "/tin/1": 45,
    }
    assert await top(client, "cong") == [("/tin/1", 5), ("/gioi-thieu", 2), ("/en", 1)]
    pages = (await stats(client, "breakdown", "cong", property="event:page"))["results"]
    assert [(one["page"], one["pageviews"]) for one in pages] == [
        ("/tin/1", 5),
        ("/gioi-thieu", 2),
        ("/en", 1),
    ]
    narrowed = await stats(client, "aggregate", "cong", filters="event:page==/tin/1")
    assert narrowed["results"]["pageviews"]["value"] == 5
    # What was counted is as it was: without the alias, each has its own again.
    await done(client, "PATCH", "/cong", {"page_aliases": []})
    later(clock)
    assert await page(client, "cong", "/tin/1") == 2
    assert await page(client, "cong", "/tin-cu/1") == 43


async def test_what_is_hidden_is_named_by_no_public_list_at_any_address(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    shown, hidden = ["/khac", "/en"], ["/tin/1", "/moi/a", "/cau-cua-nguoi-la", "/cu"]
    counted = {
        "cong": ["/khac", "/en", "/tin-cu/1", "/tin/1", "/en/a", "/moi/a", "/cu"],
        "xa": ["/khac", "/cau-cua-nguoi-la"],
    }
    await add(client, "cong", public_dashboard=True)
    await add(client, "xa", hidden_pages=["/cau-cua-nguoi-la"])
    await count(store, views("cong", *counted["cong"]))
    await count(store, views("xa", *counted["xa"], begin=50))
    changes = {
        "hidden_pages": ["/tin-cu/1", "/moi*", "/cu"],
        "page_aliases": [
            {"address": "/tin-cu/1", "page": "/tin/1"},
            {"address": "/en/*", "page": "/moi/*"},
        ],
    }
    await done(client, "PATCH", "/cong", changes)
    await done(client, "POST", "/xa/merge", {"into": "cong"})
    later(clock)
    assert sorted(await top(client, "cong")) == [("/en", 1), ("/khac", 2)]
    for by in ("event:page", "visit:entry_page", "visit:exit_page"):
        measured = {"metrics": "pageviews" if by == "event:page" else "visits"}
        query = {"site_id": "cong", **DAY, "property": by, **measured}
        answer = await client.get("/api/v1/stats/breakdown", params=query)
        assert answer.status_code == 200, answer.text
        names = {row[by.partition(":")[2]] for row in answer.json()["results"]}
        assert names == set(shown), by
        everything = (await stats(client, "breakdown", "cong", property=by, **measured))["results"]
        assert {row[by.partition(":")[2]] for row in everything} == {*shown, *hidden}, by


async def test_a_filter_of_all_pages_below_holds_their_other_addresses(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await add(client, "cong")
    await count(store, views("cong", "/tin/1", "/tin-cu/1", "/en/a", "/en/b/c", "/khac"))
    aliases = [
        {"address": "/tin-cu/1", "page": "/tin/x/1"},
        {"address": "/en/*", "page": "/tin/*"},
    ]
    await done(client, "PATCH", "/cong", {"page_aliases": aliases})
    later(clock)
    for filters, expected in (("/tin/*", 4), ("/tin/b/*", 1), ("/tin/x*", 1), ("/khac*", 1)):
        found = await stats(client, "aggregate", "cong", filters=f"event:page=={filters}")
        assert found["results"]["pageviews"]["value"] == expected, filters
        others = await stats(client, "aggregate", "cong", filters=f"event:page!={filters}")
        assert others["results"]["pageviews"]["value"] == 5 - expected, filters


@pytest.mark.parametrize(
    "aliases",
    [
        [{"address": "/a", "page": "/a/"}],
        [{"address": "/a", "page": "b"}],
        [{"address": "/a/*", "page": "/b"}],
        [{"address": "/a", "page": "/b"}, {"address": "/a", "page": "/c"}],
        [{"address": "/a", "page": "/b"}, {"address": "/b", "page": "/c"}],
        [{"address": "/en/*", "page": "/en/vi/*"}],
    ],
)
async def test_aliases_that_say_nothing_clear_are_refused(
    client: httpx.AsyncClient, aliases: list[dict[str, str]]
) -> None:
    await add(client, "cong")
    answer = await admin(client, "PATCH", "/cong", {"page_aliases": aliases})
    assert answer.status_code == 400
    assert "page_aliases" in answer.json()["errors"]
