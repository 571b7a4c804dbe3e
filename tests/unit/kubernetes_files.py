"""What kubectl makes of the manifests for Kubernetes, read for tests."""

import json
import subprocess
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.require import program

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
OVERLAYS = ("small", "production", "many")


@cache
def rendered(overlay: str) -> str:
    """Return what `kubectl kustomize` makes of an overlay."""
    return kustomized(FOLDER / "overlays" / overlay)


def kustomized(folder: Path) -> str:
    """Return what `kubectl kustomize` makes of a folder, without a word of warning."""
    # The one that pip installed is beside the Python of the tests.
    beside = Path(sysconfig.get_path("scripts")) / "kubectl"
    kubectl = str(beside) if beside.exists() else program("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@cache
def _read(overlay: str) -> str:
    """Return the objects as JSON: to read YAML takes a hundred times as long."""
    return json.dumps([one for one in yaml.safe_load_all(rendered(overlay)) if one])


def objects(overlay: str, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the objects of an overlay, or those of a kind."""
    found = json.loads(_read(overlay))
    return [one for one in found if kind in (None, one["kind"])]


def the(overlay: str, kind: str, name: str) -> dict[str, Any]:
    """Return the object of this kind and name."""
    [one] = [one for one in objects(overlay, kind) if one["metadata"]["name"] == name]
    return one


def pods(overlay: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the component and the specification of every kind of pod."""
    for one in objects(overlay):
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            component = spec["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
            yield component, spec["template"]["spec"]


def pod(overlay: str, component: str) -> dict[str, Any]:
    """Return the specification of a component's pods."""
    return dict(pods(overlay))[component]


def container(overlay: str, component: str) -> dict[str, Any]:
    """Return the one container that a component's pods have."""
    [only] = pod(overlay, component)["containers"]
    return dict(only)


def settings_of(overlay: str) -> dict[str, Any]:
    """Return the map of Luot's settings."""
    maps = objects(overlay, "ConfigMap")
    [one] = [one for one in maps if one["metadata"]["name"].startswith("luot-settings-")]
    return one


def environment(overlay: str, component: str, folder: Path) -> dict[str, str]:
    """Return the LUOT_* of a container, with secrets in a folder of ours."""
    settings = settings_of(overlay)
    run = container(overlay, component)
    assert run["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    own = {one["name"]: one["value"] for one in run["env"]}
    return {
        name: value.replace("/run/secrets/luot", str(folder))
        for name, value in {**settings["data"], **own}.items()
    }


def mebibytes(quantity: str) -> int:
    """Return a size of memory in MiB."""
    number, unit = int(quantity[:-2]), quantity[-2:]
    return number * {"Mi": 1, "Gi": 1024}[unit]
