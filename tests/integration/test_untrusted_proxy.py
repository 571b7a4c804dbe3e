"""A proxy that nobody told ingest to trust: its readers count as one, and everything says so."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.servers.system import TOKEN, System

SITE = "mytho"
READERS = 25
HITS = 40
PROXY = "127.0.0.1"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path, LUOT_TRUSTED_PROXIES="192.0.2.1")
    try:
        yield system.start()
    finally:
        system.stop()


def page(system: System, lang: str = "en") -> str:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(f"{system.api.url}/admin/sites/{SITE}?lang={lang}", headers=headers)
    assert answer.status_code == 200
    return answer.text


def doctor(system: System) -> subprocess.CompletedProcess[str]:
    settings = {"LUOT_URL": system.api.url, "LUOT_TOKEN": TOKEN}
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", "doctor"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_many_readers_behind_a_proxy_that_is_not_trusted_are_one_and_everything_says_so(
    system: System,
) -> None:
    system.add_site(SITE)
    assert "notes" not in httpx.get(f"{system.ingest.url}/readyz").json()
    assert "not trusted" not in page(system)
    assert "no hits with X-Forwarded-For from peers" in doctor(system).stdout

    for number in range(HITS):
        reader = f"203.0.113.{number % READERS}"
        assert system.hit(SITE, "/", **{"X-Forwarded-For": reader}).status_code == 202
    system.counter_when(SITE, total=1, metric="visits")

    metrics = httpx.get(f"{system.ingest.url}/metrics").text
    assert f"luot_untrusted_forwarded_hits_total {HITS:.1f}" in metrics
    [note] = httpx.get(f"{system.ingest.url}/readyz").json()["notes"]
    assert "LUOT_TRUSTED_PROXIES" in note
    deadline = time.monotonic() + PATIENCE_SECONDS
    while f"{HITS} hits of the last minutes came through a proxy" not in page(system):
        assert time.monotonic() < deadline, "the page of the site does not say so"
        time.sleep(0.2)
    assert f"{HITS} lượt trong ít phút qua đi qua một proxy" in page(system, "vi")
    said = doctor(system)
    assert said.returncode == 1
    assert f"{HITS} hits of {SITE} came with X-Forwarded-For from peers" in said.stdout
    assert "add your proxies to LUOT_TRUSTED_PROXIES" in said.stdout

    log = system.ingest.log.read_text()
    warnings = [line for line in log.splitlines() if "LUOT_TRUSTED_PROXIES" in line]
    assert len(warnings) == 1, "once a minute"
    assert "203.0.113" not in log
    assert PROXY not in warnings[0]
