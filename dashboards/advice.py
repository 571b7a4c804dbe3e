"""What a panel says of its alerts: what to type first, and where the runbook goes on."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards import rules

RUNBOOK = "luot-runbook"
"""The dashboard that holds docs/runbook.md."""


def description(text: str, alerts: Sequence[str]) -> str:
    """Return what a panel is, and for each of its alerts what to type first."""
    return "\n\n".join(
        [text, *(f"**{name}** ({rules.alert(name).severity}) {_advice(name)}" for name in alerts)]
    )


def _advice(name: str) -> str:
    alert = rules.alert(name)
    return f"{alert.summary}. First: `{alert.command}`"


def links(alerts: Sequence[str]) -> list[Builder[model.DashboardLink]]:
    """Return the links of a panel to the sections of its alerts."""
    return [
        build.DashboardLink(f"Runbook: {name}").url(runbook_link(name)).target_blank(True)
        for name in alerts
    ]


def runbook_link(alert: str) -> str:
    """Return the address of an alert's section, within Grafana: whoever is awake has that open."""
    return f"/d/{RUNBOOK}?viewPanel={rules.number(alert)}"
