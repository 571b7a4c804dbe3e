"""docs/runbook.md as a dashboard, a panel an alert: what to do is where the alert is seen."""

import re

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import text
from grafana_foundation_sdk.models.dashboard import Dashboard, GridPos
from grafana_foundation_sdk.models.text import TextMode

from dashboards import rules
from dashboards.advice import RUNBOOK, runbook_link
from dashboards.board import TAG
from dashboards.panels import WIDTH

PAGE = rules.ROOT / "docs" / "runbook.md"

_SECTION = re.compile(r"^#{2,4} (.+)\n((?:(?!#{1,4} ).*\n?)*)", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)]+)\)")


def sections() -> dict[str, str]:
    """Return the text of each section of the runbook, by its heading."""
    return {
        found[1].strip("` "): found[2].strip()
        for found in _SECTION.finditer(PAGE.read_text("utf-8"))
    }


def dashboard() -> Dashboard:
    """Return it; the id of a panel is the number of its alert, so links to it stay.

    Raises RulesError for an alert that the runbook does not have.
    """
    builder = (
        build.Dashboard("Luot: runbook")
        .uid(RUNBOOK)
        .description("What each alert means, and what to do: docs/runbook.md of this version.")
        .tags([TAG])
        .readonly()
    )
    written = sections()
    y = 0
    for name, alert in rules.alerts().items():
        if name not in written:
            raise rules.RulesError(f"{name} has no section in {PAGE.relative_to(rules.ROOT)}")
        words = within_grafana(written[name]) + "\n"
        height = _height(words)
        builder.with_panel(
            text.Panel()
            .id(rules.number(name))
            .title(name)
            .description(alert.runbook)
            .mode(TextMode.MARKDOWN)
            .content(words)
            .grid_pos(GridPos(x=0, y=y, w=WIDTH, h=height))
        )
        y += height
    return builder.build()


def within_grafana(markdown: str) -> str:
    """Lead links to other alerts to their panels, and write those to other pages as their names."""
    places = {f"#{name.lower()}": runbook_link(name) for name in rules.alerts()}

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if target in places:
            return f"[{words}]({places[target]})"
        return words if target.startswith("#") else f"{words} (docs/{target})"

    return _LINK.sub(link, markdown)


def _height(markdown: str) -> int:
    """Return how many units of Grafana's grid, of about a line and a half, a text takes."""
    lines = sum(1 + len(line) // 150 for line in markdown.splitlines())
    return 3 + lines * 2 // 3
