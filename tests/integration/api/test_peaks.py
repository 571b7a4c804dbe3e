"""The peak of a day is reset, and shown as measured again: on both kinds of store."""

from typing import Any

import httpx
import msgspec
import pytest

from services.api.app import Api
from services.model.calendar import to_day
from services.store.counts import peaks
from services.store.interface import Store
from tests.integration.api import changes
from tests.integration.api.people import ADMIN, audit
from tests.integration.api.taken_back import TODAY, at, count, take_back, view
from tests.integration.api.world import EITHER_STORE, SITE, Clock

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

PEAKS = "/api/admin/sites/mytho/peaks"
WHY = {"reason": "máy tự động"}


async def shown(client: httpx.AsyncClient) -> dict[str, Any]:
    peak: dict[str, Any] = (await client.get("/api/counter/mytho")).json()["peak"]
    return peak


async def change(client: httpx.AsyncClient, what: str, day: str = "today") -> httpx.Response:
    return await client.post(f"{PEAKS}/{day}/{what}", json=WHY, headers=ADMIN)


async def test_a_peak_that_was_reset_is_that_of_the_views_that_are_left(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    readers = [view("/", at("09:00") + n * 50_000, 10 + n) for n in range(20)]
    again = [view("/", at("09:10:01"), 12), view("/", at("09:10:02"), 12)]
    fakes = [view("/spam", at("10:00") + n, 1_000 + n) for n in range(500)]
    bots = [view("/", at("09:00") + n, 5_000 + n, bot=True) for n in range(50)]
    await count(store, [*readers, *again, *fakes, *bots])
    await peaks.write(store, [("mytho", to_day(TODAY), 502, at("10:00"))])
    assert (await shown(client))["online"] == 502

    await take_back(client, filters="event:page==/spam")
    clock.now += 2
    assert (await shown(client))["online"] == 502, "a peak is reset by a person"
    seen = (await client.get(f"{PEAKS}/today", headers=ADMIN)).json()
    assert seen == {"day": "2024-01-03", "measured": 502, "recounted": 7, "reset": False}

    assert (await change(client, "reset")).json()["reset"] is True
    assert (await change(client, "reset", "2024-01-03")).status_code == 200, "twice is once"
    clock.now += 2
    # Six readers come within five minutes, fifty seconds apart, and one of before is back.
    assert (await shown(client))["online"] == 7

    later = [view("/", at("11:00") + n, 100 + n) for n in range(9)]
    await count(store, later)
    clock.now += 62
    await shown(client)
    clock.now += 2
    peak = await shown(client)
    assert peak["online"] == 9, "what comes later counts"
    assert peak["at"].startswith("2024-01-03T11:0")

    assert (await change(client, "restore")).json()["reset"] is False
    clock.now += 2
    assert (await shown(client))["online"] == 502
    assert [(e["action"], e["before"], e["after"]) for e in (await audit(client))[:2]] == [
        ("peak.restore", {"peak": 9}, {"peak": 502, **WHY}),
        ("peak.reset", {"peak": 502}, {"peak": 7, **WHY}),
    ]


async def test_on_a_site_that_counts_views_only_each_view_is_somebody(
    api: Api, client: httpx.AsyncClient, store: Store
) -> None:
    await changes.save(api, msgspec.structs.replace(SITE, views_only=True))
    await count(store, [view("/", at("09:00") + n, 0) for n in range(4)])
    await count(store, [view("/", at("09:01") + n, 0, visit=1) for n in range(7)])
    await peaks.write(store, [("mytho", to_day(TODAY), 90, at("10:00"))])

    assert (await change(client, "reset")).json()["recounted"] == 4


async def test_a_day_without_a_peak_has_none_to_reset(client: httpx.AsyncClient) -> None:
    refused = await change(client, "reset")
    assert (refused.status_code, list(refused.json()["errors"])) == (404, ["day"])
    for day in ("2024-01-04", "tomorrow", "-1"):
        refused = await change(client, "reset", day)
        assert (refused.status_code, list(refused.json()["errors"])) == (400, ["day"])
    assert (await shown(client))["online"] == 0
