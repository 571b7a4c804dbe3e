"""The rules that Prometheus evaluates, as the panels need them: an alert's limits are a panel's."""

import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dashboards.promql import Comparison, comparisons

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "monitoring" / "rules"


class RulesError(Exception):
    """A panel names an alert that is not there, or whose limit is not clear."""


@dataclass(frozen=True)
class Alert:
    """An alerting rule."""

    name: str
    expression: str
    severity: str
    summary: str
    command: str
    runbook: str

    def limit(self, metrics: frozenset[str]) -> Comparison:
        """Return the comparison in this alert of nothing but these metrics.

        A comparison within what is compared is no limit: `a / (b > 0) < 0.1`. Raises RulesError
        if there is none, or if there are several that differ.
        """
        of_these = {one for one in comparisons(self.expression) if one.metrics <= metrics}
        found = {
            one for one in of_these if not any(one.metrics < other.metrics for other in of_these)
        }
        if len(found) != 1:
            raise RulesError(
                f"{self.name} has {len(found)} limits for {', '.join(sorted(metrics))}, expected 1:"
                f" {self.expression}"
            )
        return found.pop()


@dataclass(frozen=True)
class Record:
    """A recording rule."""

    name: str
    expression: str


@cache
def alerts() -> dict[str, Alert]:
    """Return every alert by its name."""
    return {
        rule["alert"]: Alert(
            rule["alert"],
            rule["expr"],
            rule["labels"]["severity"],
            rule["annotations"]["summary"],
            rule["annotations"]["command"],
            rule["annotations"]["runbook_url"],
        )
        for rule in _rules()
        if "alert" in rule
    }


@cache
def records() -> list[Record]:
    """Return the recording rules, in order; several may make one name."""
    return [Record(rule["record"], rule["expr"]) for rule in _rules() if "record" in rule]


def alert(name: str) -> Alert:
    """Return one alert. Raises RulesError if there is none of that name."""
    try:
        return alerts()[name]
    except KeyError:
        raise RulesError(f"{name} is no alert of {FOLDER.relative_to(ROOT)}") from None


def number(name: str) -> int:
    """Return a number for an alert that stays when others come and go. Raises RulesError."""
    return zlib.crc32(alert(name).name.encode()) % 1_000_000


def _rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in sorted(FOLDER.glob("*.yml"))
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]
