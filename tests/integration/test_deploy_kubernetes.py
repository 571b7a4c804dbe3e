"""kube-score, which judges manifests for Kubernetes, finds nothing critical in ours."""

import json
import subprocess

import pytest

from tests.require import installed, missing
from tests.unit.kubernetes_files import OVERLAYS, rendered


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kube_score_has_no_critical_finding(overlay: str) -> None:
    score = installed("kube-score") or missing("kube-score")
    done = subprocess.run(
        [score, "score", "--output-format", "json", "-"],
        input=rendered(overlay),
        capture_output=True,
        text=True,
        check=False,
    )
    critical = [
        f"{scored['object_name']}: {check['check']['name']}: {comment['summary']}"
        for scored in json.loads(done.stdout)
        for check in scored["checks"]
        for comment in check["comments"] or [{"summary": ""}]
        if not check["skipped"] and check["grade"] == 1
    ]
    assert critical == []
