"""What only the embedded engine does: one process a folder, one folder a process."""

import asyncio
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.store.interface import StoreError
from services.store.migrations import migrate
from services.store.open import open_store
from tests.servers.clickhouse import DEPLOY

OPEN = """
import asyncio, sys
from services.store.open import open_store
from services.store.interface import StoreError

async def main():
    store = open_store(sys.argv[1])
    try:
        print(await store.execute("SELECT value FROM meta"))
    except StoreError as error:
        print(error)
    finally:
        await store.close()

asyncio.run(main())
"""


def read_in_another_process(url: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", OPEN, url], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"chdb://{tmp_path}/k%C3%BD%20t%E1%BB%B1/store"


async def test_another_process_is_told_that_the_folder_is_taken_until_it_is_closed(
    url: str, tmp_path: Path
) -> None:
    store = open_store(url)
    await migrate(store)
    await store.insert("meta", {"name": ["a"], "version": [1], "value": ["kept"]})
    said = await asyncio.to_thread(read_in_another_process, url)
    assert f"cannot open {tmp_path}/ký tự/store: another process has it open" in said
    await store.close()
    assert await asyncio.to_thread(read_in_another_process, url) == "[('kept',)]"


async def test_what_was_written_is_there_after_opening_again(url: str) -> None:
    for expected in ([], [("kept",)]):
        store = open_store(url)
        await migrate(store)
        assert await store.execute("SELECT value FROM meta") == expected
        await store.insert("meta", {"name": ["a"], "version": [1], "value": ["kept"]})
        await store.close()


async def test_a_second_folder_in_one_process_is_refused_until_the_first_is_closed(
    url: str,
) -> None:
    first, second = open_store(url), open_store(url + "-2")
    try:
        await first.execute("SELECT 1")
        with pytest.raises(StoreError, match="this process has opened another store"):
            await second.execute("SELECT 1")
        await first.close()
        assert await second.execute("SELECT 1") == [(1,)]
    finally:
        await first.close()
        await second.close()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = open_store(f"chdb://{tmp_path}/file/store")
    try:
        with pytest.raises(StoreError, match=f"cannot open {tmp_path}/file/store"):
            await store.execute("SELECT 1")
    finally:
        await store.close()


@pytest.mark.parametrize("url", ["chdb://", "chdb:///", "chdb://relative/path", "chdb:///a%3Fb"])
def test_a_url_without_an_absolute_path_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        open_store(url)


def test_a_process_that_never_closed_its_store_ends_in_good_order(url: str) -> None:
    script = OPEN.replace("await store.close()", "pass")
    done = subprocess.run(
        [sys.executable, "-c", script, url], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


async def test_every_setting_shipped_for_current_servers_is_one_they_know(url: str) -> None:
    shipped = {
        setting.tag
        for folder in ("users.d", "current/users.d")
        for file in (DEPLOY / folder).glob("*.xml")
        for setting in ElementTree.parse(file).getroot().iterfind("profiles/default/*")
    }
    store = open_store(url)
    try:
        rows = await store.execute(
            "SELECT name FROM system.settings WHERE name IN %(names)s AND NOT is_obsolete",
            {"names": sorted(shipped)},
        )
    finally:
        await store.close()
    assert len(shipped) > 5
    assert {name for (name,) in rows} == shipped
