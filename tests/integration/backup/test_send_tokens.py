"""A restored store decides which tokens may send hits."""

import asyncio
from pathlib import Path

from services.api.access.accounts import Accounts
from services.api.sites.registry import Registry
from services.model.account import Role, Token
from services.state.send_tokens import PublishedTokens, SendTokens
from services.state.state import State
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from services.store.records.accounts import TOKENS
from tests.integration.backup.world import PARTITIONS, done, where
from tests.servers.redis import RedisServer

DIGEST = "0" * 64


def test_after_a_restore_its_tokens_send_hits_and_none_that_were_made_later(
    server_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    async def prepare() -> None:
        store = open_store(server_url)
        await store.prepare()
        await migrate(store)
        await fix_partitions(store, PARTITIONS)
        token = Token(id="old", digest=DIGEST, role=Role.SEND, sites=("*",))
        await TOKENS.save(store, token.id, token, 1)
        await store.close()

    async def made_later() -> None:
        state = State.open(redis_server.url)
        await SendTokens(state).publish(PublishedTokens(2, {b"f" * 64: b"{}"}))
        await state.close()

    async def published() -> set[bytes]:
        store, state = open_store(server_url), State.open(redis_server.url)
        registry = Registry(store, state)
        await registry.refresh()
        accounts = Accounts(store, state, registry)
        await accounts.fresh()
        await accounts.publish_senders()
        tokens = await SendTokens(state).read()
        await accounts.close()
        await store.close()
        await state.close()
        assert tokens is not None
        return set(tokens.bodies)

    asyncio.run(prepare())
    done("backup", str(tmp_path / "backup"), **where(server_url, redis_server))
    asyncio.run(made_later())
    done(
        "restore", str(tmp_path / "backup"), "--replace", "--yes", **where(server_url, redis_server)
    )
    assert asyncio.run(published()) == {DIGEST.encode()}
