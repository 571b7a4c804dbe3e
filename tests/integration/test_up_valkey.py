"""The embedded Valkey: durable, alone in its folder, started over one that was left behind."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.embedded.errors import UpError
from services.embedded.valkey import EmbeddedValkey


async def test_it_writes_each_append_to_the_disk_and_evicts_nothing(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path / "valkey")
    await valkey.start()
    try:
        async with Redis.from_url(valkey.url) as redis:
            held = await redis.config_get("append*", "maxmemory-policy")
        assert (held["appendonly"], held["appendfsync"]) == ("yes", "always")
        assert held["maxmemory-policy"] == "noeviction"
        assert valkey.folder.stat().st_mode & 0o777 == 0o700
    finally:
        await valkey.stop()


async def test_one_that_was_left_behind_is_ended_first_and_its_data_kept(tmp_path: Path) -> None:
    left_behind = EmbeddedValkey(tmp_path / "valkey")
    await left_behind.start()
    async with Redis.from_url(left_behind.url) as redis:
        await redis.set("key", "value")

    valkey = EmbeddedValkey(tmp_path / "valkey")
    await valkey.start()
    try:
        assert "exit code 0" in await left_behind.wait()
        async with Redis.from_url(valkey.url) as redis:
            assert await redis.get("key") == b"value"
    finally:
        await valkey.stop()


@pytest.mark.parametrize("name", ['thư mục "dữ liệu"', "x" * 90])
async def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    valkey = EmbeddedValkey(folder / "valkey")
    await valkey.start()
    try:
        async with Redis.from_url(valkey.url) as redis:
            assert await redis.ping()
    finally:
        await valkey.stop()
    assert (folder / "valkey" / "appendonlydir").is_dir()
    assert not valkey.socket.exists()
    assert valkey.socket.parent == valkey.folder or not valkey.socket.parent.exists()


async def test_a_log_that_cannot_be_read_is_told_with_the_place_of_the_reason(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "valkey"
    (folder / "appendonlydir").mkdir(parents=True)
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(UpError, match=r"does not start: .*valkey\.log"):
        await EmbeddedValkey(folder).start()
