"""A folder of backups: rotated, verified, made again and again, and what goes wrong there."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.store.meta import last_done
from services.store.open import open_store
from tests.integration.backup.world import (
    ROOT,
    Books,
    aggregator,
    append,
    done,
    luot,
    refused,
    where,
)
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer

SECONDS = 120.0


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def at(
    clickhouse_server: ClickHouseServer,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Where a store with some numbers is."""
    with aggregator(tmp_path_factory.mktemp("world"), clickhouse_server.url, redis_server):
        asyncio.run(append(redis_server.url, Books(seed=5), batches=2, size=300))
    return where(clickhouse_server.url, redis_server)


def started(
    environ: dict[str, str], *arguments: str, most_bytes: int | None = None
) -> "subprocess.Popen[str]":
    """Start a command whose files may not become larger than `most_bytes`."""

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    clean = {name: value for name, value in os.environ.items() if not name.startswith("LUOT_")}
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", *arguments],
        env={**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "300", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
        preexec_fn=limit,
    )


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def backups(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("luot-*")) if folder.is_dir() else []


def known(url: str) -> dict[str, int]:
    async def read() -> dict[str, int]:
        store = open_store(url)
        try:
            return await last_done.load(store)
        finally:
            await store.close()

    return asyncio.run(read())


def test_a_series_is_verified_and_rotated_and_the_store_knows_of_it(
    at: dict[str, str], tmp_path: Path
) -> None:
    began = time.time_ns() // 1_000_000
    old = ["luot-20250101T000000Z", "luot-20250102T000000Z"]
    done("backup", str(tmp_path / old[0]), **at)
    done("backup", str(tmp_path / old[1]), **at)

    said = done("backup", "--into", str(tmp_path), "--keep", "2", "--verify", **at)
    assert "rows in" in said
    new = [name for name in backups(tmp_path) if name not in old]
    assert backups(tmp_path) == [old[1], *new]
    assert f"{tmp_path / old[0]}: removed" in said
    assert (tmp_path / new[0] / "verified").exists()
    records = known(at["LUOT_CLICKHOUSE_URL"])
    assert began <= records["backup_finished_ms"] <= records["backup_verified_ms"]
    files = (tmp_path / new[0]).glob("*.gz")
    assert records["backup_bytes"] == sum(file.stat().st_size for file in files)

    # A folder of backups stands for its newest one.
    said = done("verify", str(tmp_path), **{**at, "LUOT_CLICKHOUSE_URL": "chdb:///none"})
    assert f"{tmp_path / new[0]}: verified, all" in said


def test_a_backup_that_is_not_good_is_not_verified(at: dict[str, str], tmp_path: Path) -> None:
    done("backup", "--into", str(tmp_path), **at)
    (name,) = backups(tmp_path)
    counters = tmp_path / name / "counters.jsonl.gz"
    body = counters.read_bytes()
    counters.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    code, said = luot("verify", str(tmp_path), **at)
    assert (code, "is damaged" in " ".join(said.split())) == (1, True)
    assert not (tmp_path / name / "verified").exists()


def test_a_disk_that_is_full_leaves_nothing_behind_and_every_older_backup(
    at: dict[str, str], tmp_path: Path
) -> None:
    done("backup", "--into", str(tmp_path), **at)
    before = backups(tmp_path)
    process = started(at, "backup", "--into", str(tmp_path), "--keep", "1", most_bytes=2000)
    said = " ".join(process.communicate(timeout=SECONDS)[0].split())
    assert process.returncode == 2
    assert "cannot be written: File too large" in said
    assert "Traceback" not in said
    assert backups(tmp_path) == before


def test_a_killed_backup_is_none_and_the_next_one_removes_what_it_left(
    at: dict[str, str], clickhouse_server: ClickHouseServer, tmp_path: Path
) -> None:
    os.kill(clickhouse_server.pid, signal.SIGSTOP)
    try:
        process = started(at, "backup", "--into", str(tmp_path))
        try:
            wait_for(lambda: any(name.endswith(".partial") for name in backups(tmp_path)))
            assert "another backup is being written" in refused(
                "backup", "--into", str(tmp_path), **at
            )
        finally:
            process.kill()
            process.communicate()
    finally:
        os.kill(clickhouse_server.pid, signal.SIGCONT)
    (left,) = backups(tmp_path)
    assert "holds no backup of Luot" in luot("verify", str(tmp_path), **at)[1]
    done("backup", "--into", str(tmp_path), **at)
    (name,) = backups(tmp_path)
    assert name != left
    assert not name.endswith(".partial")


def test_one_after_another_is_made_until_somebody_ends_it(
    at: dict[str, str], tmp_path: Path
) -> None:
    process = started(at, "backup", "--into", str(tmp_path), "--every", "1s", "--keep", "1")
    try:
        wait_for(lambda: backups(tmp_path) and not backups(tmp_path)[0].endswith(".partial"))
        first = backups(tmp_path)[0]
        wait_for(lambda: first not in backups(tmp_path))
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM, said
    # One that was about to be removed is removed with the next backup.
    assert [name.endswith(".partial") for name in backups(tmp_path)].count(False) == 1, said
    assert "Traceback" not in said


def test_a_series_goes_on_after_a_backup_that_failed(
    clickhouse_server: ClickHouseServer, at: dict[str, str], tmp_path: Path
) -> None:
    nowhere = {**at, "LUOT_CLICKHOUSE_URL": clickhouse_server.url + "_none"}
    process = started(nowhere, "backup", "--into", str(tmp_path), "--every", "1s")
    try:
        assert process.stdout is not None
        said = ""
        while "the next attempt is in" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
    assert "there is no database" in said
    assert backups(tmp_path) == []


def test_a_folder_that_may_not_be_written_is_told(at: dict[str, str], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "cannot be used: Not a directory" in refused(
        "backup", "--into", str(blocked / "backups"), **at
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "give either the new folder"),
        (("DIR", "--into", "DIR"), "or a folder of backups with --into"),
        (("DIR", "--keep", "3"), "need --into"),
        (("DIR", "--verify"), "need --into"),
        (("--into", "DIR", "--keep-weekly", "3"), "--keep-weekly needs --keep"),
        (("--into", "DIR", "--every", "soon"), "'soon' is not a time span"),
        (("--into", "DIR", "--every", "0s"), "expected at least 1s"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    options: tuple[str, ...], why: str, at: dict[str, str], tmp_path: Path
) -> None:
    given = [str(tmp_path / "folder") if option == "DIR" else option for option in options]
    assert why in refused("backup", *given, **at)
    assert not (tmp_path / "folder").exists()
