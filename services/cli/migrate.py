"""The command `luot migrate`."""

import typer

from services.cli.terminal import clear_errors, note, say

app = typer.Typer()


def _begin(name: str, servers: int) -> None:
    if servers > 1:
        note(f"{name}: {servers} servers must run it, and each statement waits for all of them")


@app.command()
def migrate() -> None:
    """Bring the schema of the store up to date (LUOT_CLICKHOUSE_URL)."""
    import asyncio

    from services.settings import StoreSettings
    from services.store.interface import StoreError

    async def work(settings: StoreSettings) -> list[str]:
        from services.store.migrations import fix_partitions, migrate
        from services.store.open import open_store

        store = open_store(settings.clickhouse_url.get_secret_value())
        try:
            applied = await migrate(store, begin=_begin)
            await fix_partitions(store, settings.partitions)
        finally:
            await store.close()
        return applied

    with clear_errors(StoreError, ValueError):
        applied = asyncio.run(work(StoreSettings.read()))
    for name in applied:
        say(f"applied {name}")
    if not applied:
        say("the schema is up to date")
