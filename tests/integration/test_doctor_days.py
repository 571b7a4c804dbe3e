"""`luot doctor --days` compares no day with raw hits that are not kept."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from services.model.calendar import local_day
from services.model.hit import Hit
from services.store.counts import hits
from services.store.open import open_store
from tests.integration.backup.world import DAY_MS, ZONE, aggregator, append_hits, luot, where
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer


def test_days_that_reach_past_the_raw_hits_are_no_fault(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    now = time.time_ns() // 1_000_000
    today = local_day(now, ZONE)
    old = [
        Hit(site="mytho", path="/", at=now - age * DAY_MS, day=today - age, visitor=age + 1)
        for age in (0, 1, 45, 80, 95)
    ]
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        at = where(server.url, redis_server)
        with aggregator(tmp_path, server.url, redis_server, LUOT_HITS_DAYS="40"):
            asyncio.run(append_hits(redis_server.url, old))

        def recounted(days: int) -> dict[str, Any]:
            _, said = luot("doctor", "--json", "--days", str(days), **at)
            (found,) = (one for one in json.loads(said) if one["name"] == "recount")
            return dict(found)

        agreed = recounted(100)
        assert agreed["ok"], agreed
        assert "of earlier days there are none" in agreed["found"]
        assert recounted(3)["found"] == "the last 3 days of every site agree with their raw hits"

        async def lose_all() -> None:
            store = open_store(server.url)
            assert await hits.first_day(store) is not None
            await store.clear("hits")
            assert await hits.first_day(store) is None
            await store.close()

        # Those of the last days are never dropped, so they are missed.
        asyncio.run(lose_all())
        missed = recounted(100)
        assert (missed["ok"], "2 site-days of the last 32 days" in missed["found"]) == (False, True)
