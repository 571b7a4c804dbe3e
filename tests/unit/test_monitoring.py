"""What is shipped to watch Luot is sound, and alerts, their tests and the runbook fit together."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.metrics import CATALOGUE
from services.runtime.metric_kinds import HistogramSpec
from tests.drill.alerts import EVERY
from tests.drill.scale import MONITORING, scaled, shipped, shorter_expression

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
RULE_FILES = sorted((MONITORING / "rules").glob("*.yml"))
TEST_FILES = sorted((MONITORING / "tests").glob("*.test.yml"))

ALERTS: dict[str, Any] = {
    rule["alert"]: rule
    for path in RULE_FILES
    for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
SECTIONS: dict[str, str] = {part.partition("\n")[0]: part for part in RUNBOOK.split("\n## ")[1:]}
# Words that begin with a capital letter within a sentence, too.
PROPER_NAMES = {"Alertmanager", "ClickHouse", "Luot", "Redis"}
each_alert = pytest.mark.parametrize("name", ALERTS)


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for path in TEST_FILES:
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for asked in case["promql_expr_test"]:
                (name,) = re.findall(r'alertname="(\w+)"', asked["expr"])
                assert case["name"].startswith(f"{name}: "), case["name"]
                (fires if asked["exp_samples"] else silent).add(name)
    assert fires == ALERTS.keys()
    # What says that monitoring works is never silent.
    assert silent == ALERTS.keys() - {"Watchdog"}


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    assert list(SECTIONS) == list(dict.fromkeys(re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)))
    assert SECTIONS.keys() == ALERTS.keys()


@each_alert
def test_an_alert_says_what_is_wrong_how_much_what_to_type_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket", "none")
    said = rule["annotations"]
    assert said.keys() == {"summary", "description", "command", "runbook_url"}
    assert "$value" in said["description"]
    assert "{{" not in said["summary"]
    assert said["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    section = SECTIONS[name]
    assert f"```sh\n{said['command']}\n```" in section
    for part in ("**Readers see:**", "**First:**", "**Then:**", "**It is over when:**"):
        assert part in section
    told = {"page": "Page: ", "ticket": "Ticket: ", "none": "Neither page nor ticket: "}
    lead = section.partition("\n\n")[2].partition(".\n")[0]
    summary = said["summary"]
    if summary.split()[0] not in PROPER_NAMES:
        summary = summary[0].lower() + summary[1:]
    assert lead == told[rule["labels"]["severity"]] + summary
    # A share of one thing is one.
    assert not re.search(r"humanizePercentage }} of (the|{{)[^.]* are\b", said["description"])


@each_alert
def test_an_alert_names_metrics_and_routes_that_exist(name: str) -> None:
    known = {spec.name for spec in CATALOGUE}
    for spec in CATALOGUE:
        if isinstance(spec, HistogramSpec):
            known |= {f"{spec.name}_{part}" for part in ("bucket", "sum", "count")}
    expressions = [ALERTS[name]["expr"]]
    recorded = {
        rule["record"]: rule["expr"]
        for path in RULE_FILES
        for group in shipped(f"rules/{path.name}")["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    expressions += [recorded[used] for used in re.findall(r"\bluot:\w+:\w+\b", expressions[0])]
    for expression in expressions:
        assert set(re.findall(r"\bluot_\w+\b", expression)) <= known
        assert set(re.findall(r'route="([^"]*)"', expression)) <= {"/api/counter/{site}"}


def test_every_alert_has_its_drill() -> None:
    assert ALERTS.keys() == EVERY


def test_who_is_inhibited_is_an_alert_and_never_the_only_one_to_wake_somebody() -> None:
    for rule in shipped("alertmanager.yml")["inhibit_rules"]:
        named = {
            end: {
                alert
                for alert in ALERTS
                for matcher in rule[f"{end}_matchers"]
                if (found := re.fullmatch(r'alertname=~?"(.*)"', matcher))
                if re.fullmatch(found[1], alert)
            }
            for end in ("source", "target")
        }
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            for alternative in re.findall(r'alertname=~?"(.*)"', matcher):
                for pattern in alternative.split("|"):
                    assert [alert for alert in ALERTS if re.fullmatch(pattern, alert)], pattern
        assert named["source"]
        assert named["target"]
        assert not named["source"] & named["target"]
        # Whoever hides a page is one.
        severities = {ALERTS[alert]["labels"]["severity"] for alert in named["source"]}
        assert severities == {"page"}


def test_nobody_is_woken_for_what_lasts_a_moment() -> None:
    at_once = {
        name
        for name, rule in ALERTS.items()
        if rule["labels"]["severity"] == "page" and "for" not in rule
    }
    # What was evicted does not come back.
    assert at_once == {"RedisEvicts"}


def test_every_job_that_rules_name_is_scraped() -> None:
    jobs = {job["job_name"] for job in shipped("prometheus.yml")["scrape_configs"]}
    named = {
        pattern
        for rule in ALERTS.values()
        for pattern in re.findall(r'\bjob(?:=~|!~|=)"([^"]*)"', rule["expr"])
    }
    for pattern in named:
        assert any(re.fullmatch(pattern, job) for job in jobs), pattern


def test_a_drill_shortens_times_and_nothing_else() -> None:
    expression = 'sum(rate(luot_hits_total{a="5m"}[10m])) offset 1h > 26 * 3600 and x[1h30m] > 0.1'
    assert shorter_expression(expression, 30) == (
        'sum(rate(luot_hits_total{a="5m"}[20000ms])) offset 120000ms > 26 * 3600'
        " and x[180000ms] > 0.1"
    )
    rule = {"alert": "A", "expr": "x[1m] > 1", "for": "1d", "labels": {"severity": "page"}}
    assert scaled([rule], 60) == [rule | {"expr": "x[1000ms] > 1", "for": "1440000ms"}]
