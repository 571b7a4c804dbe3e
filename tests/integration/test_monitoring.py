"""Prometheus, Alertmanager and the blackbox exporter understand their files, and alerts fire."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.drill.scale import MONITORING
from tests.require import program

RULE_FILES = sorted((MONITORING / "rules").glob("*.yml"))
TEST_FILES = sorted((MONITORING / "tests").glob("*.test.yml"))


def run(*command: object, cwd: Path = MONITORING) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        # More threads of promtool take a third more of the processor, beside other tests.
        env={**os.environ, "GOMAXPROCS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_understands_its_files() -> None:
    promtool = program("promtool")
    run(promtool, "check", "config", MONITORING / "prometheus.yml")
    run(promtool, "check", "rules", *RULE_FILES)


def test_alertmanager_understands_its_file() -> None:
    run(program("amtool"), "check-config", MONITORING / "alertmanager.yml")


def test_the_blackbox_exporter_understands_its_file() -> None:
    exporter = program("prometheus-blackbox-exporter")
    run(exporter, f"--config.file={MONITORING / 'blackbox.yml'}", "--config.check")


def apart(path: Path, folder: Path) -> list[str]:
    """Write the cases of each alert to a file of their own; return the names of the files.

    As shipped, each case has all rules of its files evaluated, which takes eight times as long.
    Here it is the alert that the case is about, and the recorded series that it reads.
    """
    document = yaml.safe_load(path.read_text("utf-8"))
    rules: dict[str, Any] = {
        rule.get("alert") or rule["record"]: rule
        for rule_file in document["rule_files"]
        for group in yaml.safe_load((path.parent / rule_file).read_text("utf-8"))["groups"]
        for rule in group["rules"]
    }

    def wanted(name: str) -> list[str]:
        read = re.findall(r"\bluot:\w+:\w+\b", rules[name]["expr"])
        return [*(each for one in read for each in wanted(one)), name]

    cases: dict[str, list[Any]] = {}
    for case in document["tests"]:
        cases.setdefault(case["name"].partition(":")[0], []).append(case)
    for alert, own in cases.items():
        group = {"name": alert, "rules": [rules[name] for name in dict.fromkeys(wanted(alert))]}
        (folder / f"{alert}.yml").write_text(yaml.safe_dump({"groups": [group]}))
        made = {**document, "rule_files": [f"{alert}.yml"], "tests": own}
        (folder / f"{alert}.test.yml").write_text(yaml.safe_dump(made))
    return [f"{alert}.test.yml" for alert in cases]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.name.partition(".")[0])
def test_every_alert_fires_when_it_should_and_is_silent_when_not(
    path: Path, tmp_path: Path
) -> None:
    names = apart(path, tmp_path)
    told = run(program("promtool"), "test", "rules", *names, cwd=tmp_path)
    assert told.count("SUCCESS") == len(names)
