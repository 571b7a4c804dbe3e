"""The containers that run a command of Luot, and those that watch, fit what they run and read."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from services.cli.main import app
from services.cli.settings import ProbeSettings
from services.settings import StoreSettings
from tests.require import program
from tests.unit.compose_file import CONTAINERS, DEPLOY, DOCKERFILE, ROOT, environment, filled, made

COMMANDS = ("backup", "verify")
RULES = sorted((DEPLOY / "monitoring/rules").glob("*.yml"))


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    made(folder)
    return folder


def takes_options(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    command.commands[words[0]].make_context(words[0], words[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_container_runs_a_command_that_takes_its_options(name: str, secrets: Path) -> None:
    words: list[str] = CONTAINERS[name]["command"]
    takes_options(list(words))
    StoreSettings.read(environment(name, secrets))
    written = next(word for word in words if word.startswith("/"))
    assert Path(written).is_relative_to("/var/lib/luot")
    assert "backups:/var/lib/luot" in [filled(volume) for volume in CONTAINERS[name]["volumes"]]


def test_verify_has_the_engine_and_the_rest_is_the_image_of_all(secrets: Path) -> None:
    ours, larger = (CONTAINERS[name]["build"]["args"] for name in ("backup", "verify"))
    assert larger == {**ours, "LOCK": "standalone.lock"}
    assert "ARG LOCK=service.lock\n" in DOCKERFILE
    assert CONTAINERS["verify"]["profiles"] == ["verify"]
    assert CONTAINERS["verify"]["restart"] == "no"


def test_a_timer_runs_a_backup_that_takes_its_options() -> None:
    unit = (DEPLOY / "systemd/luot-backup.service").read_text("utf-8")
    (line,) = re.findall(r"^ExecStart=/opt/luot/bin/luot (.+)$", unit, re.MULTILINE)
    takes_options(line.split())
    assert "StateDirectory=luot-backup\n" in unit
    assert "--into /var/lib/luot-backup " in line
    for words in (line, " ".join(CONTAINERS["backup"]["command"])):
        kept = re.findall(r"--keep(?:-weekly)? (\d)", words)
        assert kept == ["7", "4"], "compose and systemd keep the same backups"


def test_the_probe_asks_the_public_address_and_believes_its_certificate(
    secrets: Path, tmp_path: Path
) -> None:
    container = CONTAINERS["probe"]
    shell, flag, script = container["entrypoint"]
    settings = ProbeSettings.read(environment("probe", secrets))
    assert settings.url == "https://localhost"
    assert container["extra_hosts"] == ["${PUBLIC_HOST:-localhost}:host-gateway"]
    assert str(settings.listen_port) in container["healthcheck"]["test"]

    # Of what it starts with, all but the probe itself.
    begin, _, last = script.replace("$$", "$").partition(" && ")
    assert last == "exec luot probe"
    believed = tmp_path / "believed.pem"
    assert container["environment"]["SSL_CERT_FILE"] == "/tmp/believed.pem"
    begin = begin.replace("/tmp/believed.pem", str(believed))
    begin = begin.replace("/run/luot", str(secrets / "probe"))
    subprocess.run([shell, flag, begin.replace("python", sys.executable, 1)], check=True)
    proxy = secrets / "proxy/fullchain.pem"
    shown = [program("openssl"), "verify", "-CAfile", str(believed), str(proxy)]
    subprocess.run(shown, check=True, capture_output=True)
    assert believed.read_text("utf-8").count("BEGIN CERTIFICATE") > 50


def commands() -> list[list[str]]:
    """Return the words of every command of an alert, and of Compose in the runbook."""
    rules = [yaml.safe_load(path.read_text("utf-8")) for path in RULES]
    typed = [
        rule["annotations"]["command"]
        for file in rules
        for group in file["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    page = (ROOT / "docs/runbook.md").read_text("utf-8")
    typed += re.findall(r"`(docker compose [^`]+)`", page)
    return [shlex.split(line.partition(" | ")[0]) for line in typed]


def test_what_an_alert_tells_to_type_is_there_on_a_host_of_compose() -> None:
    there = {"docker", "luot", "curl", "df", "timedatectl", "certbot"}
    assert {words[0] for words in commands()} <= there
    # Those of an operator go to a container that reaches the stores, and nothing outside.
    assert {words[1] for words in commands() if words[0] == "luot"} <= {"doctor", "site"}


def test_a_command_of_the_runbook_names_containers_that_there_are() -> None:
    named = set()
    for words in commands():
        if words[:2] != ["docker", "compose"]:
            continue
        profile = words[3] if words[2] == "--profile" else None
        verb, *rest = words[4 if profile else 2 :]
        names = [word for word in rest if re.fullmatch(r"[a-z][\w-]*", word)]
        if verb in ("exec", "run"):
            names = names[:1]
        if verb == "exec":
            assert profile in CONTAINERS[names[0]].get("profiles", [None]), words
        named |= set(names)
    assert {"probe", "alertmanager", "redis"} < named
    assert named <= CONTAINERS.keys()


def test_a_probe_by_hand_has_what_the_one_that_runs_has() -> None:
    # It asks the public address, which the networks of the other containers do not lead to.
    assert "outside" in CONTAINERS["probe"]["networks"]
    assert not {"outside", "front"} & set(CONTAINERS["luot"]["networks"])
    assert {"LUOT_URL", "SSL_CERT_FILE"} <= CONTAINERS["probe"]["environment"].keys()
    for words in commands():
        if "probe" in words and "exec" in words:
            takes_options(words[words.index("luot") + 1 :])


def test_prometheus_scrapes_containers_that_serve_what_it_asks_for() -> None:
    jobs = yaml.safe_load((DEPLOY / "monitoring/prometheus.yml").read_text("utf-8"))
    scraped = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in jobs["scrape_configs"]
    }
    assert scraped["luot-ingest"] == ["ingest-1:8001", "ingest-2:8001"]
    assert scraped["luot-aggregator"] == ["aggregator:8003"]
    assert scraped["luot-api"] == ["api-1:8002", "api-2:8002"]
    assert scraped["luot-probe"] == ["probe:8004"]
    mine = set(CONTAINERS["prometheus"]["networks"])
    for job, targets in scraped.items():
        for target in targets:
            host = target.partition(":")[0]
            if job not in ("blackbox", "prometheus"):
                assert mine & set(CONTAINERS[host]["networks"]), target


def test_grafana_finds_the_dashboards_that_are_mounted() -> None:
    provisioned = DEPLOY / "monitoring/grafana/provisioning/dashboards/luot.yml"
    (provider,) = yaml.safe_load(provisioned.read_text("utf-8"))["providers"]
    folder = provider["options"]["path"]
    container = CONTAINERS["grafana"]
    assert f"./deploy/monitoring/grafana/dashboards:{folder}:ro" in container["volumes"]
    home = Path(container["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == folder
    assert (DEPLOY / "monitoring/grafana/dashboards" / home.name).is_file()
