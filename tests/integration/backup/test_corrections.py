"""A backup holds what was taken back: after a restore it stays so, and can be given back."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from services.store.open import open_store
from tests.integration.backup.world import (
    Books,
    aggregator,
    append,
    differences,
    done,
    furnish,
    manifest,
    public_numbers,
    where,
)
from tests.servers.redis import RedisServer
from tests.servers.services import Service

TOKEN = "a-token-for-these-tests-only"
CORRECTIONS = "/api/admin/sites/mytho/corrections"


async def open_and_furnish(store_url: str) -> None:
    store = open_store(store_url)
    await furnish(store)
    await store.close()


def asked(
    directory: Path, store_url: str, redis: RedisServer, address: str, body: Any = None
) -> Any:
    """Ask an API of its own; with a body, change something."""
    api = Service("api", directory, **where(store_url, redis), LUOT_ADMIN_TOKEN=TOKEN).start()
    try:
        answer = httpx.request(
            "GET" if body is None else "POST",
            f"{api.url}{address}",
            json=body,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        assert answer.status_code < 300, answer.text
        return answer.json()
    finally:
        api.stop()


def test_what_was_taken_back_stays_so_in_another_store_and_can_be_given_back(
    server_url: str,
    embedded_url: str,
    redis_server: RedisServer,
    other_redis: RedisServer,
    tmp_path: Path,
) -> None:
    with aggregator(tmp_path, server_url, redis_server):
        asyncio.run(append(redis_server.url, Books(seed=5), batches=20, size=200))
    asyncio.run(open_and_furnish(server_url))
    whole = public_numbers(tmp_path, server_url, redis_server)
    since = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    query = {"from": since, "filters": "event:page==/tin-tục/1*", "more_than": 0}
    found = asked(tmp_path, server_url, redis_server, f"{CORRECTIONS}/preview", query)
    assert found["views"] > 0
    body = {name: found[name] for name in ("id", "query", "up_to", "views")}
    asked(tmp_path, server_url, redis_server, CORRECTIONS, {**body, "reason": "giả"})
    before = public_numbers(tmp_path, server_url, redis_server)
    assert before["mytho views"]["total"] == whole["mytho views"]["total"] - found["views"]

    folder = tmp_path / "backup"
    done("backup", str(folder), **where(server_url, redis_server))
    kept = {file["name"]: file["rows"] for file in manifest(folder)["files"]}
    assert kept["corrections.jsonl.gz"] == 1
    assert kept["corrected_hits.jsonl.gz"] == found["views"]
    done("restore", str(folder), **where(embedded_url, other_redis))

    assert public_numbers(tmp_path, embedded_url, other_redis) == before
    assert asyncio.run(differences(embedded_url)) == []
    reverse = f"{CORRECTIONS}/{found['id']}/reverse"
    asked(tmp_path, embedded_url, other_redis, reverse, {"reason": "nhầm"})
    assert public_numbers(tmp_path, embedded_url, other_redis) == whole
