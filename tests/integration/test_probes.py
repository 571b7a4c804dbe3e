"""The probes of deploy/kubernetes, asked of real services whose stores are away."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.redis import free_port
from tests.servers.services import Service
from tests.servers.system import TOKEN, System
from tests.unit.kubernetes_files import container


def probe(service: Service, kind: str) -> int:
    """Return the status that Kubernetes would see."""
    asked = container("small", service.name)[f"{kind}Probe"]["httpGet"]["path"]
    return httpx.get(f"{service.url}{asked}", timeout=120).status_code


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("system"))
    try:
        system.start()
        system.add_site("mytho")
        yield system
    finally:
        system.stop()


def test_while_redis_is_away_nothing_is_restarted_and_ingest_goes_on_taking_hits(
    system: System,
) -> None:
    services = (system.ingest, system.aggregator, system.api)
    for service in services:
        assert probe(service, "startup") == probe(service, "readiness") == 200
    system.redis.stop()
    try:
        answer = system.hit("mytho", "/", **{"X-Forwarded-For": "203.0.113.1"})
        assert answer.status_code == 202
        for service in services:
            assert probe(service, "liveness") == 200
        for service in (system.ingest, system.api):
            assert probe(service, "readiness") == 200
    finally:
        system.redis.start()
    system.counter_when("mytho", total=1, metric="views")


@pytest.mark.parametrize("name", ["aggregator", "api"])
def test_a_service_that_starts_without_its_stores_is_alive_and_not_ready(
    name: str, tmp_path: Path
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    service = Service(
        name,
        tmp_path,
        LUOT_REDIS_URL=f"redis://{nowhere}",
        LUOT_CLICKHOUSE_URL=f"clickhouse://{nowhere}/luot",
        **({"LUOT_ADMIN_TOKEN": TOKEN} if name == "api" else {}),
    )
    service.start(wait=False)
    try:
        service.wait_until_alive()
        assert probe(service, "liveness") == 200
        assert probe(service, "readiness") == 503
    finally:
        service.kill()
