"""Records in the store what was done to its backups, so that metrics can tell their age."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from services.cli.terminal import note
from services.runtime.reasons import reason


def tell(values: Mapping[str, int], data: Path | None = None) -> None:
    """Write records of `services/store/meta/last_done.py`, if a store or a Luot is configured.

    A failure does not make the backup any worse: it is reported, and the command continues.
    """
    import os

    from services.cli.stores import through_api
    from services.embedded.errors import UpError
    from services.settings import SettingsError, variables_of
    from services.store.interface import StoreError

    named = {*variables_of("clickhouse_url"), *variables_of("token")}
    if data is None and not os.environ.keys() & named:
        return
    try:
        if through_api(data):
            asyncio.run(_through_api(values, data))
        else:
            asyncio.run(_into_store(values, data))
    except (OSError, SettingsError, StoreError, UpError, ValueError) as error:
        note(f"this could not be recorded in the store: {reason(error)}")


async def _into_store(values: Mapping[str, int], data: Path | None) -> None:
    from services.embedded.stores import open_stores
    from services.settings import StoreSettings
    from services.store.meta import last_done

    async with open_stores(StoreSettings.read(), data) as stores:
        await last_done.note(stores.store, values)


async def _through_api(values: Mapping[str, int], data: Path | None) -> None:
    import httpx

    from services.backup import frames
    from services.cli.settings import ClientSettings

    client = ClientSettings.of(data)
    token = client.token.get_secret_value() if client.token else ""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with httpx.AsyncClient(base_url=client.url, headers=headers, timeout=30) as http:
            answer = await http.post(frames.PATH, json=dict(values))
    except httpx.HTTPError as error:
        raise OSError(f"{client.url} cannot be reached: {type(error).__name__}") from None
    if not answer.is_success:
        raise OSError(f"{client.url} answers {answer.status_code}: {answer.text[:500]}")
