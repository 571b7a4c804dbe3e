"""Shortens every time in what is shipped by one factor, so that hours pass in minutes.

What is shortened: the pauses of scrapes and rules, `for`, the ranges and offsets of expressions,
and the pauses of Alertmanager. Thresholds are as shipped, also those that are times.
"""

import re
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"

_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(\d+)(ms|[smhdw])")
_PAUSES = {
    "scrape_interval",
    "evaluation_interval",
    "for",
    "group_wait",
    "group_interval",
    "repeat_interval",
}


def milliseconds(duration: str) -> int:
    """Return a duration of Prometheus ('1h30m') in milliseconds."""
    parts = _DURATION.findall(duration)
    assert "".join(number + unit for number, unit in parts) == duration, duration
    return sum(int(number) * _MS[unit] for number, unit in parts)


def shorter(duration: str, factor: float) -> str:
    """Return a duration divided by the factor."""
    return f"{round(milliseconds(duration) / factor)}ms"


def shorter_expression(expression: str, factor: float) -> str:
    """Return an expression whose ranges and offsets are divided by the factor."""
    return re.sub(
        r"(\[|\boffset )((?:\d+(?:ms|[smhdw]))+)",
        lambda found: found[1] + shorter(found[2], factor),
        expression,
    )


def scaled(value: Any, factor: float) -> Any:
    """Return a configuration or a rule file with every time divided by the factor."""
    if isinstance(value, list):
        return [scaled(one, factor) for one in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for key, inner in value.items():
        if key in _PAUSES:
            made[key] = shorter(inner, factor)
        elif key == "expr":
            made[key] = shorter_expression(inner, factor)
        else:
            made[key] = scaled(inner, factor)
    return made


def shipped(name: str) -> Any:
    """Return a file of deploy/monitoring, parsed."""
    return yaml.safe_load((MONITORING / name).read_text("utf-8"))


def severities() -> dict[str, str]:
    """Return the severity of each shipped alert, by its name."""
    return {
        rule["alert"]: rule["labels"]["severity"]
        for path in sorted((MONITORING / "rules").glob("*.yml"))
        for group in shipped(f"rules/{path.name}")["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
