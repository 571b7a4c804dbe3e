"""What Compose makes of docker-compose.yml and docker-compose.many.yml, with overrides as well."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.api.settings import ApiSettings
from services.ingest.settings import IngestSettings
from services.settings import Settings, settings_of
from tests.require import program
from tests.unit.compose_file import CONTAINERS, MANY, ROOT, filled, made

SERVICES: dict[str, type[Settings]] = {"ingest": IngestSettings, "api": ApiSettings}
BOTH = f"COMPOSE_FILE={MANY}:docker-compose.override.yml\n"
each_way = pytest.mark.parametrize("env", ["", BOTH], ids=["one", "many"])


def composed(*options: str, command: str = "", file: str = "docker-compose.yml") -> str:
    """Return what Compose makes of a file."""
    compose = program("docker-compose")
    done = subprocess.run(
        [compose, "-f", ROOT / file, *options, "config", *command.split()],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("file", ["docker-compose.yml", MANY])
def test_images_are_fixed_by_their_digests(tmp_path: Path, file: str) -> None:
    # What a registry would say; the tests ask none.
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/sh\n"
        'for image; do :; done; test "$1" = pull || {\n'
        "    echo registry.example/copy@sha256:0000\n"
        '    echo "${image%:*}@sha256:$(printf %s "$image" | sha256sum | cut -d" " -f1)"; }\n'
    )
    docker.chmod(0o755)
    env = tmp_path / ".env"
    env.write_text(
        f"COMPOSE_FILE={file}\nFRONT_NETWORK=10.83.80\nVALKEY_IMAGE=valkey/valkey@sha256:old\n"
    )
    text = (ROOT / file).read_text("utf-8")
    path = f"{tmp_path}:{os.environ['PATH']}"
    for _ in range(2):
        subprocess.run(
            [ROOT / "deploy/pin-images", env],
            check=True,
            capture_output=True,
            env={**os.environ, "PATH": path},
        )
        pinned = dict(line.split("=", 1) for line in env.read_text().splitlines())
        assert pinned.pop("COMPOSE_FILE") == file
        assert pinned.pop("FRONT_NETWORK") == "10.83.80"
        assert pinned.keys() == set(re.findall(r"\$\{(\w+_IMAGE):-", text))
        assert all(re.fullmatch(r"[\w/-]+@sha256:[0-9a-f]{64}", one) for one in pinned.values())

    shown = composed("--env-file", str(env), "--profile", "monitoring", file=file)
    assert set(re.findall(r"\S+@sha256:\w+", shown)) == set(pinned.values())


@pytest.mark.parametrize(
    ("file", "profiles"),
    [
        ("docker-compose.yml", ("monitoring", "tools", "verify")),
        (MANY, ("tools", "verify")),
    ],
)
def test_docker_compose_understands_the_file(file: str, profiles: tuple[str, ...]) -> None:
    options = [word for profile in profiles for word in ("--profile", profile)]
    services = composed(*options, command="--services", file=file)
    shipped = yaml.safe_load((ROOT / file).read_text("utf-8"))
    assert set(services.split()) == set(shipped["services"])


def overrides(page: str) -> list[str]:
    """Return the examples of docker-compose.override.yml on a page of docs/."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    mark = "# docker-compose.override.yml\n"
    return re.findall(rf"^```yaml\n({mark}.*?)^```$", text, re.MULTILINE | re.DOTALL)


def overridden(folder: Path, override: str, *options: str, env: str = "") -> Any:
    """Return what Compose makes of the shipped files with an override beside them."""
    for name in ("docker-compose.yml", MANY):
        shutil.copy(ROOT / name, folder)
    (folder / "docker-compose.override.yml").write_text(override)
    (folder / ".env").write_text(env)
    done = subprocess.run(
        [program("docker-compose"), *options, "config"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if "COMPOSE" not in name},
    )
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@each_way
def test_own_settings_and_files_come_to_those_of_the_shipped_file(tmp_path: Path, env: str) -> None:
    settings, _ = overrides("deployment.md")
    assert BOTH.strip() in (ROOT / "docs/deployment.md").read_text("utf-8")
    services = overridden(tmp_path, settings, env=env)["services"]
    shipped = yaml.safe_load((ROOT / (MANY if env else "docker-compose.yml")).read_text())
    for name, given in yaml.safe_load(settings)["services"].items():
        own = shipped["services"][name]
        added = given["environment"].items()
        assert services[name]["environment"].keys() == {*own["environment"], *given["environment"]}
        assert added <= services[name]["environment"].items()
        assert len(services[name]["volumes"]) == len(own["volumes"]) + 1
        assert any(volume.startswith("/srv/luot:") for volume in services[name]["volumes"])
        # The service takes them; the folder is mounted, so that a new file is seen.
        read = settings_of(SERVICES[name.partition("-")[0]])
        assert all(key.removeprefix("LUOT_").lower() in read for key, _ in added)
        assert given["environment"]["LUOT_COUNTRY_DATABASE"].startswith("/srv/luot/")


@each_way
def test_the_api_gets_a_way_out_and_keeps_its_networks(tmp_path: Path, env: str) -> None:
    _, way_out = overrides("deployment.md")
    made = overridden(tmp_path, way_out, env=env)
    front = made["services"]["api-1"]["networks"]["front"]
    assert front["ipv4_address"] == "10.83.79.21"
    for name in ("api-1", "api-2"):
        networks = made["services"][name]["networks"].keys()
        assert networks == {"log", "store", "front", "egress"}
        # Docker takes the default route from the first by name that is not internal.
        assert min(one for one in networks if not made["networks"][one].get("internal")) == "egress"
    assert not made["networks"]["egress"]
    assert all(
        "egress" not in one.get("networks", {})
        for name, one in made["services"].items()
        if not name.startswith("api-")
    )


def test_grafana_can_read_the_traffic_as_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs/grafana.md").read_text("utf-8").partition("\n## With Compose\n")[2]
    [override] = overrides("grafana.md")
    services = overridden(tmp_path, override, "--profile", "monitoring")["services"]
    shared = services["grafana"]["networks"].keys() & services["clickhouse"]["networks"].keys()
    assert shared == {"store"}
    assert services["grafana"]["networks"].keys() == {"front", "watch", "store"}
    # What is put into the folders of secrets stays there, and is seen by whom it is for.
    put = re.findall(r"sudo tee deploy/secrets/(\S+)", page)
    assert put == ["monitoring/reader_password", "clickhouse/users.d/grafana.xml"]
    made(tmp_path / "secrets")
    for name in put:
        (tmp_path / "secrets" / name).write_text("")
    made(tmp_path / "secrets")
    assert all((tmp_path / "secrets" / name).exists() for name in put)
    assert "./deploy/secrets/monitoring:/run/luot:ro" in CONTAINERS["grafana"]["volumes"]
    assert "$__file{/run/luot/reader_password}" in page
    [run] = re.findall(r"^docker run .+$", page, re.MULTILINE)
    assert f" {filled(CONTAINERS['grafana']['image'])} " in run
    assert "_grafana:/var/lib/grafana " in run
    assert "grafana:/var/lib/grafana" in CONTAINERS["grafana"]["volumes"]
    provisioned = re.search(r"`traffic\.yml` in `(\S+)`", page)
    assert provisioned
    assert (ROOT / provisioned[1]).is_dir()
