"""A dashboard: rows of panels, the variables that they use, and links to the others."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import SOURCE, WIDTH, Panel

TAG = "luot"
OVERVIEW = "luot-overview"

Variable = Builder[model.VariableModel]


@dataclass(frozen=True)
class Row:
    """Panels under one heading, from left to right; each line of them is as wide as the page."""

    title: str
    panels: Sequence[Panel]


def data_source() -> Variable:
    """Return the choice of a Prometheus, for those who have several."""
    return (
        build.DatasourceVariable("datasource")
        .label("Prometheus")
        .description("The Prometheus that scrapes this Luot")
        .type("prometheus")
        .current(model.VariableOption(selected=True, text="default", value="default"))
    )


def choice(name: str, label: str, query: str, *, several: bool = True) -> Variable:
    """Return a choice among the values that a label has: `label_values(metric, label)`."""
    variable = (
        build.QueryVariable(name)
        .label(label)
        .query({"query": query, "refId": name})
        .datasource(SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.NATURAL_ASC)
        .multi(several)
        .include_all(several)
    )
    if several:
        # Everything, until somebody chooses: also what begins to be scraped later.
        variable.current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return variable


def processes(metric: str) -> list[Variable]:
    """Return the choices of job and instance among the processes that serve a metric."""
    return [
        choice("job", "Job", f"label_values({metric}, job)"),
        choice("instance", "Instance", f'label_values({metric}{{job=~"$job"}}, instance)'),
    ]


def board(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    variables: Sequence[Variable] = (),
    hours: int = 3,
) -> model.Dashboard:
    """Return a dashboard; its panels have ids from 1 on, in the order in which they stand.

    Raises ValueError if a line of panels is not as wide as the page.
    """
    builder = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .time(f"now-{hours}h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            build.DashboardLink("Luot")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .annotation(_alerts())
        .with_variable(data_source())
    )
    for variable in variables:
        builder.with_variable(variable)
    for row in rows:
        builder.with_row(build.Row(row.title))
        width = 0
        for panel in row.panels:
            builder.with_panel(panel)
            placed = panel.build().grid_pos
            width += placed.w if placed else WIDTH
            if width > WIDTH:
                raise ValueError(f"{title}, {row.title}: a line of panels is {width} wide")
            width %= WIDTH
        if width:
            raise ValueError(f"{title}, {row.title}: the last line of panels is {width} wide")
    dashboard = builder.build()
    for number, panel_or_row in enumerate(dashboard.panels or [], 1):
        panel_or_row.id_val = number
    return dashboard


def _alerts() -> Builder[model.AnnotationQuery]:
    """Mark in every graph when an alert fired."""
    return (
        build.AnnotationQuery()
        .name("Alerts")
        .datasource(SOURCE)
        .enable(True)
        .icon_color("red")
        .expr('ALERTS{alertstate="firing"}')
    )
