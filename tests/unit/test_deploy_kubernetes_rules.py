"""The PrometheusRule of deploy/kubernetes is what deploy/monitoring/rules says.

After a change of the rules, `python -m tests.unit.test_deploy_kubernetes_rules` writes it again.
"""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "deploy/monitoring/rules").glob("*.yml"))
MADE = ROOT / "deploy/kubernetes/components/monitoring/prometheusrule.yaml"
# About nodes and targets that are not Luot's: whoever runs the cluster watches those.
LEFT_OUT = {"machines", "monitoring"}
HEAD = """\
# Made from deploy/monitoring/rules by `python -m tests.unit.test_deploy_kubernetes_rules`.
"""


def groups() -> list[dict[str, Any]]:
    """Return the groups of all rules that are for Kubernetes, too."""
    found = [group for path in RULES for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    assert {group["name"] for group in found} >= LEFT_OUT
    return [group for group in found if group["name"] not in LEFT_OUT]


def made() -> str:
    """Return the manifest."""
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "luot"},
        "spec": {"groups": groups()},
    }
    dumped = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=100)
    return f"{HEAD}{dumped}"


def test_the_rules_of_kubernetes_are_those_of_prometheus() -> None:
    told = "run `python -m tests.unit.test_deploy_kubernetes_rules`"
    assert MADE.read_text("utf-8") == made(), told


if __name__ == "__main__":
    MADE.write_text(made(), "utf-8")
