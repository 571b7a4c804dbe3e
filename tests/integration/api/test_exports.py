"""What a site has is taken out as CSV, read back by pandas: nothing missing, nothing twice."""

import asyncio
import io
import subprocess
from datetime import date
from typing import Any
from urllib.parse import unquote

import httpx
import pandas as pd
import pytest

from services.model.calendar import to_day
from services.model.hit import OTHER_PATH
from services.store.counts import returned_views
from services.store.interface import Store
from tests.integration.api.people import ADMIN
from tests.integration.api.taken_back import at, count, traffic, view
from tests.integration.api.world import EITHER_STORE, TOKEN
from tests.servers.up import LUOT, ROOT, environ

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

EXPORT = "/api/admin/sites/mytho/export"
DAYS = (date(2023, 12, 31), date(2024, 1, 2), date(2024, 1, 3))
ODD = '/tin "một", hai'


async def pages(client: httpx.AsyncClient, what: str, **query: Any) -> list[pd.DataFrame]:
    """Return the pages of an export that have rows, or else one without."""
    found = []
    while True:
        answer = await client.get(f"{EXPORT}/{what}", params=query, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        found.append(pd.read_csv(io.StringIO(answer.text), keep_default_na=False))
        following = answer.headers.get("X-Luot-Next")
        if following is None:
            return [page for page in found if len(page)] or found[:1]
        query["after"] = unquote(following)


async def test_hits_are_all_there_once_however_small_the_pages(
    client: httpx.AsyncClient, store: Store
) -> None:
    other = [view(OTHER_PATH, at("10:00"), 7, own_path="/tin-tuc/1") for _ in range(3)]
    hits = [*traffic(5, DAYS), *other, view(ODD, at("11:00"), 8, source="bao.example")]
    await count(store, hits)
    # The store holds two versions of these until it merges them.
    await returned_views.give_back(store, "mytho", to_day(DAYS[-1]), ["/tin-tuc/1"])
    whole = pd.concat(await pages(client, "hits"), ignore_index=True)
    assert len(whole) == len(hits)
    assert not whole.duplicated(["position", "idx"]).any()
    assert sorted(whole["at"]) == sorted(hit.at for hit in hits)
    assert (whole["bot"] == 1).sum() == sum(hit.bot for hit in hits)
    assert (whole["path"] == ODD).sum() == 1
    assert (whole["own_path"] == "/tin-tuc/1").sum() == 3
    assert set(whole["visitor"]) == {hit.visitor for hit in hits}

    few = await pages(client, "hits", limit=7)
    assert max(map(len, few)) == 7
    assert pd.concat(few, ignore_index=True).equals(whole)

    day = await pages(client, "hits", **{"from": "2024-01-02", "to": "2024-01-02"})
    assert pd.concat(day).equals(whole[whole["day"] == "2024-01-02"].reset_index(drop=True))


async def test_counters_are_all_there_once_and_add_up(
    client: httpx.AsyncClient, store: Store
) -> None:
    hits = traffic(6, DAYS)
    await count(store, hits)
    whole = pd.concat(await pages(client, "counters"), ignore_index=True)
    ((rows,),) = await store.execute(
        "SELECT count() FROM (SELECT grain, start, path FROM counters WHERE site = 'mytho'"
        " GROUP BY grain, start, path)"
    )
    assert len(whole) == rows
    people = [hit for hit in hits if not hit.bot]
    of_site = whole[whole["path"] == ""]
    for grain in ("day", "month", "year", "total"):
        assert of_site[of_site["grain"] == grain]["views"].sum() == len(people)
    assert whole[(whole["path"] != "") & (whole["grain"] == "total")]["views"].sum() == len(people)
    few = await pages(client, "counters", limit=2)
    assert max(map(len, few)) == 2
    assert pd.concat(few, ignore_index=True).equals(whole)


async def test_a_site_without_hits_has_only_the_columns(client: httpx.AsyncClient) -> None:
    for what, first in (("hits", "day"), ("counters", "grain")):
        (page,) = await pages(client, what)
        assert (len(page), page.columns[0]) == (0, first)


@pytest.mark.parametrize("after", ["x", "1~2", "99999~0~0", "1~-1~0", "week~0~", "day~x~/"])
async def test_what_is_no_place_to_go_on_is_refused(client: httpx.AsyncClient, after: str) -> None:
    for what in ("hits", "counters"):
        answer = await client.get(f"{EXPORT}/{what}", params={"after": after}, headers=ADMIN)
        assert answer.status_code == 400
        assert "X-Luot-Next of the page before" in answer.text


async def test_the_command_prints_every_page_under_one_header(
    client: httpx.AsyncClient, store: Store
) -> None:
    hits = traffic(7, DAYS)
    await count(store, hits)
    for what, expected in (("hits", len(hits)), ("counters", None)):
        done = await asyncio.to_thread(
            subprocess.run,
            [*LUOT, "export", what, "mytho"],
            env=environ(LUOT_URL=str(client.base_url), LUOT_TOKEN=TOKEN),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        read = pd.read_csv(io.StringIO(done.stdout), keep_default_na=False)
        assert read.equals(pd.concat(await pages(client, what), ignore_index=True))
        assert done.stderr == f"{len(read)} rows\n"
        assert expected in (None, len(read))
