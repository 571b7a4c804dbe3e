"""The proxy of docker-compose.yml fits what is behind it, and the example without containers."""

import re
from pathlib import Path

import pytest

from services.api.settings import ApiSettings
from services.ingest.app import PATHS
from services.ingest.settings import IngestSettings
from services.settings import Settings
from tests.unit.compose_file import CONTAINERS, DEPLOY, environment, filled, made

PROXY = "\n".join(path.read_text("utf-8") for path in (DEPLOY / "nginx/compose").glob("*.conf"))

BEHIND: dict[str, type[Settings]] = {
    "ingest-1": IngestSettings,
    "ingest-2": IngestSettings,
    "api-1": ApiSettings,
    "api-2": ApiSettings,
}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    made(folder)
    return folder


@pytest.mark.parametrize("name", BEHIND)
def test_the_proxy_is_believed_and_nobody_else(name: str, secrets: Path) -> None:
    settings = BEHIND[name].read(environment(name, secrets))
    assert isinstance(settings, IngestSettings | ApiSettings)
    proxy = filled(CONTAINERS["proxy"]["networks"]["front"]["ipv4_address"])
    trusted = [str(network) for network in settings.trusted_proxies]
    assert trusted == ["127.0.0.0/8", "::1/128", f"{proxy}/32"]
    # What a visitor claims to be does not get past it.
    assert "X-Forwarded-For $remote_addr;" in PROXY


def test_the_proxy_sends_hits_to_ingest_and_the_rest_to_the_api() -> None:
    main = (DEPLOY / "nginx/compose/nginx.conf").read_text("utf-8")
    assert set(re.findall(r"location = (\S+)\s*{ include /etc/luot/hits.conf; }", main)) == PATHS
    assert "proxy_pass http://luot_ingest;" in (DEPLOY / "nginx/compose/hits.conf").read_text()
    hosts = dict(line.split(":", 1) for line in CONTAINERS["proxy"]["extra_hosts"])
    for name, kind in BEHIND.items():
        assert f"server {name}.front:{kind.default_port} " in main
        assert hosts[f"{name}.front"] == CONTAINERS[name]["networks"]["front"]["ipv4_address"]


def test_the_proxy_writes_no_line_that_names_a_visitor() -> None:
    assert set(re.findall(r"^ *(\w+_log .+);$", PROXY, re.MULTILINE)) == {
        "access_log off",
        "error_log stderr emerg",
    }


def test_the_proxy_has_the_limits_of_the_example_for_machines_without_containers() -> None:
    example = (DEPLOY / "nginx/luot.conf").read_text("utf-8")
    for pattern in (
        r"rate=\S+;",
        r"limit_req zone=\w+ burst=\d+",
        r"large_client_header_buffers .+;",
        r"client_max_body_size \w+;",
        r"location \S+ /\S+\s*{ return 404; }",
    ):
        assert set(re.findall(pattern, PROXY)) == set(re.findall(pattern, example)), pattern
