"""Stores with the history, made once for all processes of tests: the files of tests copy them."""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.model.hit import Hit
from services.store.open import open_store
from tests.integration.stats import history
from tests.servers.clickhouse import ClickHouseServer


def store(kind: str, hits: Sequence[Hit], factory: pytest.TempPathFactory) -> Path:
    """Return the data of a store of a kind, which is closed; who asks first makes it."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    made = shared / f"history-{kind}"
    with (shared / f"history-{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(kind, hits, factory.mktemp("history")).rename(made)
    return made


def _make(kind: str, hits: Sequence[Hit], folder: Path) -> Path:
    if kind == "chdb":
        _write(f"chdb://{folder / 'chdb'}", hits)
        return folder / "chdb"
    server = ClickHouseServer(folder).start()
    try:
        _write(server.url, hits)
    finally:
        server.stop()
    return folder / "data"


def _write(url: str, hits: Sequence[Hit]) -> None:
    async def write() -> None:
        store = open_store(url)
        try:
            await history.write(store, hits)
        finally:
            await store.close()

    # Another thread: the one of the tests has an event loop of its own.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, write()).result()
