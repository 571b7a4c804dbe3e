"""`luot doctor` about the disk of the store: it says what is full next."""

import pytest

from services.doctor import store as doctor
from services.doctor.check import Findings
from services.log.open import open_log
from services.store.interface import Store
from services.store.meta import server_info
from services.store.meta.server_info import Disk


@pytest.mark.parametrize(
    ("url", "server"), [("redis://127.0.0.1:9", "Redis"), ("kafka://127.0.0.1:9/hits", "Kafka")]
)
async def test_a_full_disk_of_the_store_is_told_with_the_log_that_fills_up(
    url: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def disks(_store: Store) -> list[Disk]:
        return [Disk(free=1 << 30, total=100 << 30)]

    monkeypatch.setattr(server_info, "disks", disks)
    log = open_log(url, partitions=1)
    findings = Findings("store")
    await doctor._disk(findings, None, log)  # type: ignore[arg-type]
    await log.close()
    (check,) = findings.checks
    assert check.ok is False
    assert check.advice.endswith(f"the log grows until {server} is full, too")
