"""What must not be in a log line or an error: secrets, and anything that a visitor sent."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.aggregator.settings import AggregatorSettings
from services.api.settings import ApiSettings
from services.cli.settings import ClientSettings
from services.ingest.settings import IngestSettings
from services.settings import Settings, SettingsError
from services.standalone.settings import UpSettings
from tests.patience import PATIENCE_SECONDS
from tests.servers.redis import free_port
from tests.servers.services import Service
from tests.servers.system import System

SECRETS = {
    "LUOT_ADMIN_TOKEN": "hush-admin-token-0123456789",
    "LUOT_CLICKHOUSE_URL": f"clickhouse://luot:hush-clickhouse@127.0.0.1:{free_port()}/luot",
    "LUOT_OIDC_CLIENT_SECRET": "hush-oidc-client",
    "LUOT_REDIS_URL": f"redis://luot:hush-redis@127.0.0.1:{free_port()}/0",
    "LUOT_SMTP_URL": "smtps://luot:hush-smtp@127.0.0.1:25",
    "LUOT_TOKEN": "hush-client-token-0123456789",
}
HOSTILE = "EVIL\r\n\x1b[31mINFO: all is well"


@pytest.mark.parametrize(
    "kind", [AggregatorSettings, ApiSettings, ClientSettings, IngestSettings, UpSettings]
)
def test_settings_show_no_secret(kind: type[Settings]) -> None:
    own_stores = ("LUOT_CLICKHOUSE_URL", "LUOT_REDIS_URL") if kind is UpSettings else ()
    settings = kind.read({name: SECRETS[name] for name in SECRETS if name not in own_stores})

    assert "hush" not in repr(settings) + str(settings) + f"{settings!r:s}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LUOT_ADMIN_TOKEN", "hush"),  # too short
        ("LUOT_ADMIN_TOKN", "hush"),
        ("LUOT_CLICKHOUSE_PASSWORD", "hush"),
        ("LUOT_SMTP_URL", "http://:hush@smtp"),
        ("LUOT_REDIS_URL", "http://:hush@redis"),
        ("LUOT_REDDIS_URL", "redis://:hush@redis"),
    ],
)
def test_an_error_about_a_secret_does_not_show_it(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        ApiSettings.read({name: value})

    assert name in str(raised.value)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("name", ["api", "ingest", "aggregator"])
def test_a_service_whose_stores_are_away_logs_no_secret(name: str, tmp_path: Path) -> None:
    service = Service(name, tmp_path, LUOT_LOG_LEVEL="debug", **SECRETS)
    service.start(wait=False)
    try:
        answer = _ask(service, "/readyz")
        _ask(service, "/api/admin/sites")
        _ask(service, "/api/counter/x")
        assert "hush" not in answer.text
    finally:
        service.kill()

    log = service.log.read_text()
    assert "127.0.0.1" in log  # it did complain
    assert "hush" not in log


def _ask(service: Service, path: str) -> httpx.Response:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            headers = {"Authorization": "Bearer hush-wrong"}
            return httpx.get(f"{service.url}{path}", headers=headers, timeout=60)
        except httpx.TransportError:
            assert time.monotonic() < deadline, service.log.read_text()
            time.sleep(0.05)


def test_nothing_that_a_visitor_sends_is_logged(luot: System) -> None:
    luot.add_site("quiet")
    header = HOSTILE.replace("\r\n", " ")
    headers: Any = {
        name: header.encode()
        for name in ("User-Agent", "Referer", "X-Forwarded-For", "Authorization", "Upgrade", "X-A")
    } | {"Connection": "Upgrade"}
    event = {"n": HOSTILE, "u": f"https://quiet.example/{HOSTILE}", "d": HOSTILE, "r": HOSTILE}
    for service in (luot.ingest, luot.api):
        for method, path in (
            ("POST", "/api/event"),
            ("POST", "/api/admin/sites"),
            ("GET", "/hit.gif"),
            ("GET", "/api/counter/quiet"),
            ("GET", "/api/counter/EVIL%0d%0a%1b"),
            ("GET", "/EVIL%0a"),
            ("EVIL", "/e"),
        ):
            query = {"d": HOSTILE, "u": HOSTILE, "path": HOSTILE, "metric": HOSTILE}
            url = f"{service.url}{path}"
            answer = httpx.request(method, url, params=query, headers=headers, json=event)
            assert answer.status_code < 500
            event |= {"n": "pageview", "d": "quiet"}
    for service in (luot.ingest, luot.api, luot.aggregator):
        log = service.log.read_text()
        assert "EVIL" not in log
        assert "\x1b" not in log
