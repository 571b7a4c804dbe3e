"""Every metric is looked at by somebody, and nobody looks at one that is not there."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from dashboards import rules
from dashboards.__main__ import FOLDER
from dashboards.promql import metrics, parse
from services.metrics import CATALOGUE
from services.runtime.metric_kinds import HistogramSpec, Spec

ROOT = Path(__file__).parents[2]
LIST = ROOT / "docs" / "metrics.md"

OTHERS = {
    "up": "Prometheus",
    "ALERTS": "Prometheus",
    "process_cpu_seconds_total": "the client of Prometheus, in every service",
    "process_max_fds": "the client of Prometheus, in every service",
    "process_open_fds": "the client of Prometheus, in every service",
    "process_resident_memory_bytes": "the client of Prometheus, in every service",
    "process_start_time_seconds": "the client of Prometheus, in every service",
    "alertmanager_notifications_failed_total": "Alertmanager",
    "redis_aof_enabled": "redis_exporter",
    "redis_commands_processed_total": "redis_exporter",
    "redis_connected_clients": "redis_exporter",
    "redis_evicted_keys_total": "redis_exporter",
    "redis_memory_max_bytes": "redis_exporter",
    "redis_memory_used_bytes": "redis_exporter",
    "redis_rejected_connections_total": "redis_exporter",
    "redis_up": "redis_exporter",
    "redis_uptime_in_seconds": "redis_exporter",
    "ClickHouseMetrics_MemoryTracking": "ClickHouse",
    "ClickHouseProfileEvents_FailedQuery": "ClickHouse",
    "ClickHouseProfileEvents_InsertedRows": "ClickHouse",
    "ClickHouseProfileEvents_Query": "ClickHouse",
    "node_cpu_seconds_total": "node_exporter",
    "node_filesystem_avail_bytes": "node_exporter",
    "node_filesystem_size_bytes": "node_exporter",
    "node_memory_MemAvailable_bytes": "node_exporter",
    "node_memory_MemTotal_bytes": "node_exporter",
    "node_timex_offset_seconds": "node_exporter",
    "node_timex_sync_status": "node_exporter",
    "probe_ssl_earliest_cert_expiry": "blackbox_exporter",
    "probe_success": "blackbox_exporter",
}
"""Metrics that are not Luot's, and whose they are."""


def served(spec: Spec) -> set[str]:
    """Return the names under which Prometheus has a metric."""
    if isinstance(spec, HistogramSpec):
        return {f"{spec.name}_{part}" for part in ("bucket", "sum", "count")}
    return {spec.name}


OURS = {name: spec for spec in CATALOGUE for name in served(spec)}


def of_panels() -> Iterator[tuple[str, str]]:
    """Return who asks and what, for every panel, annotation and variable."""
    for path in sorted(FOLDER.glob("*.json")):
        board = json.loads(path.read_text("utf-8"))
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.stem}: {panel['title']}", target["expr"]
        for annotation in board.get("annotations", {}).get("list", []):
            yield f"{path.stem}: {annotation['name']}", annotation["expr"]
        for variable in board.get("templating", {}).get("list", []):
            if variable["type"] == "query":
                selector = variable["query"]["query"].removeprefix("label_values(")
                yield f"{path.stem}: ${variable['name']}", selector.rpartition(",")[0]


def of_rules() -> Iterator[tuple[str, str]]:
    for alert in rules.alerts().values():
        yield alert.name, alert.expression
    for record in rules.records():
        yield record.name, record.expression


def asked() -> dict[str, set[str]]:
    """Return metric → who asks for it."""
    found = defaultdict(set)
    for who, expression in [*of_panels(), *of_rules()]:
        for name in metrics(expression):
            found[name].add(who)
    return found


def documented() -> set[str]:
    """Return the metrics that a page names, the list of all metrics aside."""
    pages = {ROOT / "README.md", *(ROOT / "docs").rglob("*.md")} - {LIST}
    return {
        name for page in pages for name in re.findall(r"\bluot_[a-z_]+", page.read_text("utf-8"))
    }


def test_every_metric_is_on_a_panel_in_a_rule_or_on_a_page() -> None:
    known = {*asked(), *documented()}
    unseen = [spec.name for spec in CATALOGUE if not known & {spec.name, *served(spec)}]
    assert unseen == [], "nobody would notice whatever they say"


def test_panels_and_rules_name_only_what_there_is() -> None:
    recorded = {record.name for record in rules.records()}
    unknown = {
        name: who for name, who in asked().items() if name not in {*OURS, *OTHERS, *recorded}
    }
    assert unknown == {}


def test_every_metric_of_others_is_asked_for_and_none_of_them_is_ours() -> None:
    assert set(OTHERS) - set(asked()) == set()
    assert [name for name in OTHERS if name.startswith("luot")] == []


def test_every_recorded_series_is_used() -> None:
    recorded = {record.name for record in rules.records()}
    assert recorded - set(asked()) == set()


def labels(tree: Any) -> Iterator[tuple[str, str]]:
    """Return metric and label for every label that an expression asks one of ours for."""
    found: list[Any] = []
    promql_parser.walk(tree, found.append)
    for node in found:
        if isinstance(node, promql_parser.VectorSelector) and node.name in OURS:
            for matcher in node.matchers.matchers:
                yield node.name, matcher.name


def has_label(metric: str, label: str) -> bool:
    of_all = {"job", "instance"} | ({"le"} if metric.endswith("_bucket") else set())
    return label in {*OURS[metric].labels, *of_all}


def test_panels_and_rules_ask_for_labels_that_the_metric_has() -> None:
    for who, expression in [*of_panels(), *of_rules()]:
        for metric, label in labels(parse(expression)):
            assert has_label(metric, label), f"{who}: {metric} has no label {label}"


def test_the_same_is_true_of_the_labels_that_series_are_named_by() -> None:
    """A legend `{{reason}}` of a sum by another label would be empty."""
    for path in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", []):
                for label in re.findall(r"{{(\w+)}}", target.get("legendFormat", "")):
                    grouped = re.findall(r"\bby \(([^)]*)\)", target["expr"])
                    if grouped:
                        assert any(label in group.split(", ") for group in grouped), target
                    elif label not in {"job", "instance"}:
                        names = metrics(target["expr"])
                        ours = [name for name in names if name in OURS]
                        assert all(has_label(name, label) for name in ours), target


@pytest.mark.parametrize(
    ("expression", "right"),
    [
        ('luot_hits_total{outcome="accepted",job="x"}', True),
        ('luot_freshness_seconds_bucket{le="2.5"}', True),
        ('luot_hits_total{reason="bot"}', False),
        ('luot_freshness_seconds_count{le="2.5"}', False),
    ],
)
def test_a_label_that_is_not_there_would_be_noticed(expression: str, right: bool) -> None:
    assert all(has_label(metric, label) for metric, label in labels(parse(expression))) == right
