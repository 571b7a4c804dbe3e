"""docker-compose.yml, docker-compose.many.yml and the Dockerfile, read for tests."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.require import program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
MANY = "docker-compose.many.yml"
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def filled(value: str) -> str:
    """Return a value of the file with the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def made(folder: Path, **environ: str) -> str:
    """Let deploy/make-secrets make what is missing; return what it says."""
    program("openssl")
    return subprocess.run(
        [DEPLOY / "make-secrets", folder],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
    ).stdout


def environment(
    name: str, secrets: Path, containers: Mapping[str, dict[str, Any]] = CONTAINERS
) -> dict[str, str]:
    """Return the LUOT_* that a service sees in its container, its secrets in a folder of ours."""
    from_image = dict(re.findall(r"\b(LUOT_\w+)=(\S+)", DOCKERFILE))
    mounted = [volume for volume in containers[name]["volumes"] if ":/run/luot:ro" in volume]
    assert len(mounted) == 1
    folder = secrets / Path(mounted[0].partition(":")[0]).name
    given = {**from_image, **containers[name]["environment"]}
    return {
        key: filled(value).replace("/run/luot", str(folder))
        for key, value in given.items()
        if key.startswith("LUOT_")
    }


def always_there(
    containers: Mapping[str, dict[str, Any]] = CONTAINERS,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the containers that run whatever profile is asked for."""
    for name, container in containers.items():
        if "profiles" not in container and container["restart"] != "no":
            yield name, container
