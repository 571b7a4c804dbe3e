"""The kinds of panels that the dashboards are made of, each with one look.

A panel with `alerts` is coloured by the limits of these alerts, as the rule files have them, and
links to what the runbook says about each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards import advice, colours

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24

Panel: TypeAlias = Builder[model.Panel]


@dataclass(frozen=True)
class Query:
    """An expression, and how its series are named; `{{label}}` stands for a label's value."""

    expression: str
    legend: str = ""


def value(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    span: int = 4,
    height: int = 4,
    alerts: Sequence[str] = (),
    also: Sequence[str] = (),
    limits: Sequence[tuple[float, str]] = (),
    names: Mapping[str, str] | None = None,
    colour: str = colours.GOOD,
    nothing: str = "no data",
    decimals: int | None = None,
    opens: str | None = None,
) -> Panel:
    """Return a panel of the values now, each with its name if there are several.

    It asks for this moment alone: the last value of a series that ended hours ago is no value. No
    value has a colour of its own; Grafana would give it that of the lowest values, often green.

    also    alerts that belong here and have no limit to draw, such as that there is no value
    limits  colours from a number upwards, where the value itself is of alerts
    names   words for values
    opens   the dashboard that says more
    """
    panel = (
        stat.Panel()
        .title(title)
        .description(advice.description(description, [*alerts, *also]))
        .unit(unit)
        .datasource(SOURCE)
        .span(span)
        .height(height)
        .no_value(nothing)
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .graph_mode(looks.BigValueGraphMode.NONE)
        .color_mode(looks.BigValueColorMode.BACKGROUND_SOLID)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(
            colours.steps([(None, colour), *limits])
            if limits
            else _thresholds(queries, alerts, colour)
        )
        .links(advice.links([*alerts, *also]))
    )
    if any(query.legend for query in queries):
        panel.text_mode(looks.BigValueTextMode.VALUE_AND_NAME)
    else:
        panel.text_mode(looks.BigValueTextMode.VALUE)
    if decimals is not None:
        panel.decimals(decimals)
    panel.mappings([*([_mapping(names)] if names else []), colours.unknown(nothing)])
    if opens:
        panel.data_links([_board_link(opens)])
    for target in _targets(queries, instant=True):
        panel.with_target(target)
    return panel


def graph(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    span: int = 8,
    height: int = 8,
    alerts: Sequence[str] = (),
    also: Sequence[str] = (),
    stacked: bool = False,
    most: float | None = None,
    least: float | None = 0,
    logarithmic: bool = False,
) -> Panel:
    """Return a graph over the time that the dashboard shows, with the limits of its alerts."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(advice.description(description, [*alerts, *also]))
        .unit(unit)
        .datasource(SOURCE)
        .span(span)
        .height(height)
        .line_width(1)
        .fill_opacity(30 if stacked else 5)
        .show_points(looks.VisibilityMode.NEVER)
        .thresholds(_thresholds(queries, alerts, "transparent"))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(looks.LegendDisplayMode.TABLE)
            .placement(looks.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(looks.TooltipDisplayMode.MULTI)
            .sort(looks.SortOrder.DESCENDING)
        )
        .links(advice.links([*alerts, *also]))
    )
    if alerts:
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED)
        )
    if stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    if most is not None:
        panel.max(most)
    if least is not None and not logarithmic:
        panel.min(least)
    if logarithmic:
        panel.scale_distribution(
            common.ScaleDistributionConfig().type(looks.ScaleDistribution.LOG).log(10)
        )
    for target in _targets(queries, instant=False):
        panel.with_target(target)
    return panel


def bars(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    span: int = 8,
    height: int = 8,
    alerts: Sequence[str] = (),
    most: float | None = None,
) -> Panel:
    """Return bars that compare many values of this moment, each with its name."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(advice.description(description, alerts))
        .unit(unit)
        .datasource(SOURCE)
        .span(span)
        .height(height)
        .min(0)
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .mappings([colours.unknown("no data")])
        .orientation(looks.VizOrientation.HORIZONTAL)
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_thresholds(queries, alerts, colours.GOOD))
        .links(advice.links(alerts))
    )
    if most is not None:
        panel.max(most)
    for target in _targets(queries, instant=True):
        panel.with_target(target)
    return panel


@dataclass(frozen=True)
class Column:
    """A column of a table.

    source  the label, or the letter of the query, that it shows
    link    a title, and an address in which `${__value.raw}` is the value of the cell
    names   words for values
    width   in pixels; otherwise the columns share what is left
    """

    source: str
    name: str
    unit: str | None = None
    link: tuple[str, str] | None = None
    names: Mapping[str, str] | None = None
    width: int | None = None


def rows(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    columns: Sequence[Column],
    key: str = "",
    span: int = 12,
    height: int = 8,
    nothing: str = "no data",
    sort: str | None = None,
    descending: bool = True,
    alerts: Sequence[str] = (),
) -> Panel:
    """Return a table of this moment; several queries are joined by the label `key`."""
    named = {_field(column.source, len(queries)): column for column in columns}
    panel = (
        table.Panel()
        .title(title)
        .description(advice.description(description, alerts))
        .unit(unit)
        .datasource(SOURCE)
        .span(span)
        .height(height)
        .no_value(nothing)
        .thresholds(_thresholds(queries, (), colours.GOOD))
        .links(advice.links(alerts))
        .show_header(True)
        .align(looks.FieldTextAlignment.AUTO)
        .inspect(False)
    )
    if len(queries) > 1:
        panel.with_transformation(
            model.DataTransformerConfig(
                id_val="joinByField", options={"byField": key, "mode": "outer"}
            )
        )
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": list(named)}}
        )
    )
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={
                "indexByName": {name: place for place, name in enumerate(named)},
                "renameByName": {name: column.name for name, column in named.items()},
            },
        )
    )
    for column in columns:
        if properties := _properties(column):
            panel.override_by_name(column.name, properties)
    if sort:
        panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(descending)])
    for target in _targets(queries, instant=True, form=PromQueryFormat.TABLE):
        panel.with_target(target)
    return panel


def _properties(column: Column) -> list[model.DynamicConfigValue]:
    found: dict[str, object] = {}
    if column.unit:
        found["unit"] = column.unit
    if column.link:
        title, url = column.link
        found["links"] = [{"title": title, "url": url}]
    if column.names:
        found["mappings"] = [_mapping(column.names)]
    if column.width:
        found["custom.width"] = column.width
    return [model.DynamicConfigValue(id_val=name, value=value) for name, value in found.items()]


def _targets(
    queries: Sequence[Query], *, instant: bool, form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> list[prometheus.Dataquery]:
    found = []
    for place, query in enumerate(queries):
        target = (
            prometheus.Dataquery()
            .expr(query.expression)
            .ref_id(chr(ord("A") + place))
            .format(form)
            .datasource(SOURCE)
        )
        if instant:
            target.instant()
        else:
            target.range()
        if query.legend:
            target.legend_format(query.legend)
        found.append(target)
    return found


def _field(source: str, queries: int) -> str:
    """Return how Grafana names the column of a query, or of a label."""
    if len(source) == 1:
        return f"Value #{source}" if queries > 1 else "Value"
    return source


def _thresholds(
    queries: Sequence[Query], alerts: Sequence[str], good: str
) -> build.ThresholdsConfig:
    return colours.thresholds([query.expression for query in queries], alerts, good)


def _mapping(names: Mapping[str, str]) -> model.ValueMap:
    return model.ValueMap(
        options={
            number: model.ValueMappingResult(text=text, index=index)
            for index, (number, text) in enumerate(names.items())
        }
    )


def _board_link(uid: str) -> Builder[model.DashboardLink]:
    return build.DashboardLink("Open its dashboard").url(
        f"/d/{uid}?${{datasource:queryparam}}&${{__url_time_range}}"
    )
