"""Charts as SVG without inline script or style: leather provides scales, ticks and lines."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree as Xml

import leather
from leather.scales import Linear, Ordinal
from leather.shapes import Line
from markupsafe import Markup

from services.api.dashboard.texts.language import Language

_LEAST_TOP = 4
"""The lowest maximum of the scale, so that small numbers still have whole ticks."""
_FLOAT = re.compile(r"\d+\.\d+")


class Point(NamedTuple):
    """A point of a chart.

    label        for the tooltip
    tick         for the axis
    now          None if it is in the future
    before       the same point of the previous period; None without one
    annotations  those on its days
    """

    label: str
    tick: str
    now: int | None
    before: int | None
    annotations: tuple[str, ...] = ()


class ChartSize(NamedTuple):
    """How large a chart is drawn, in its own units."""

    name: str
    width: int
    height: int
    left: int
    between_ticks: int


WIDE = ChartSize("wide", 1040, 280, 64, 84)
NARROW = ChartSize("narrow", 440, 240, 60, 74)

_TOP, _BOTTOM, _RIGHT = 10, 26, 8


def chart(
    points: Sequence[Point], size: ChartSize, t: Language, name: str, earlier: str = ""
) -> Markup:
    """Return the chart of a period, in front of the one it is compared with, called `earlier`."""
    most = max((value or 0 for point in points for value in (point.now, point.before)), default=0)
    width, height = size.width - size.left - _RIGHT, size.height - _TOP - _BOTTOM
    across, up = Ordinal(list(range(len(points)))), Linear(0, max(most, _LEAST_TOP))
    root = _element(
        "svg",
        viewBox=f"0 0 {size.width} {size.height}",
        class_=f"chart {size.name}",
        role="img",
        aria_label=name,
    )
    plot = _element("g", root, transform=f"translate({size.left} {_TOP})")
    for tick in up.ticks():
        if tick == tick.to_integral_value():
            y = f"{up.project(tick, height, 0):.1f}"
            _element("line", plot, x2=str(width), y1=y, y2=y, class_="base" if not tick else "rule")
            label = _element("text", plot, x="-8", y=y, dy="0.32em", class_="y")
            label.text = t.short(float(tick))
    step = max(1, -(-len(points) * size.between_ticks // width))
    for place in range(0, len(points), step):
        x = f"{across.project(place, 0, width):.1f}"
        _element("text", plot, x=x, y=str(height + 20), class_="x").text = points[place].tick
    drawing = _Drawing(plot, across, up, width, height)
    before = [(place, point.before) for place, point in enumerate(points)]
    now = [(place, point.now) for place, point in enumerate(points)]
    if any(value is not None for _, value in before):
        drawing.line(before, "before")
    drawing.area(now)
    drawing.line(now, "now")
    drawing.marks(points, t, earlier)
    return _markup(root)


def sparkline(values: Sequence[int], name: str) -> Markup:
    """Return a small chart of a trend, without axes."""
    width, height, top = 160, 30, max([*values, _LEAST_TOP])
    root = _element("svg", viewBox=f"0 -3 {width} 36", class_="spark", role="img")
    root.set("preserveAspectRatio", "none")
    root.set("aria-label", name)
    # Not with leather's scales, which compute ticks: a table has hundreds of these.
    step = width / max(1, len(values) - 1)
    path = "L".join(
        f"{place * step:.1f} {height - value * height / top:.1f}"
        for place, value in enumerate(values)
    )
    _element("path", root, d=f"M{path}L{width} {height}L0 {height}Z", class_="area")
    line = _element("g", root, class_="line now")
    _element("path", line, d=f"M{path}")
    return _markup(root)


def bar(share: float) -> Markup:
    """Return the bar behind a row, as wide as its share of the widest."""
    return Markup(
        '<svg class="bar" aria-hidden="true" focusable="false">'
        '<rect width="{:.1f}%" height="100%" rx="3"/></svg>'
    ).format(100 * share)


class _Drawing:
    """Draws lines, areas and points within the axes."""

    def __init__(self, plot: Xml.Element, across: Any, up: Any, width: int, height: int) -> None:
        self._plot = plot
        self._across = across
        self._up = up
        self._width = width
        self._height = height

    def line(self, values: Sequence[tuple[int, int | None]], name: str) -> None:
        """Draw a line; a single point is a dot."""
        known = [pair for pair in values if pair[1] is not None]
        if len(known) == 1:
            self._dot(*known[0], f"dot {name}")
            return
        line = Line(stroke_color="currentColor")
        drawn = line.to_svg(
            self._width, self._height, self._across, self._up, leather.Series(values), None
        )
        drawn.set("class", f"line {name}")
        for path in drawn.iter("path"):
            # Leather writes 28 digits.
            path.set("d", _FLOAT.sub(lambda match: f"{float(match[0]):.1f}", path.get("d", "")))
        self._plot.append(drawn)

    def area(self, values: Sequence[tuple[int, int | None]]) -> None:
        """Fill the area below a line."""
        known = [(self._x(place), self._y(value)) for place, value in values if value is not None]
        if len(known) > 1:
            path = "L".join(f"{x} {y}" for x, y in known)
            base = self._height
            shape = f"M{known[0][0]} {base}L{path}L{known[-1][0]} {base}Z"
            _element("path", self._plot, d=shape, class_="area")

    def marks(self, points: Sequence[Point], t: Language, earlier: str) -> None:
        """Draw a hover target at each point, with its numbers and annotations as the title."""
        step = self._width / len(points)
        for place, point in enumerate(points):
            if point.now is None:
                continue
            x = self._x(place)
            mark = _element("g", self._plot, class_="mark")
            left = f"{place * step:.1f}"
            _element("rect", mark, x=left, width=f"{step:.1f}", height=str(self._height))
            _element("line", mark, x1=x, x2=x, y2=str(self._height))
            _element("circle", mark, cx=x, cy=self._y(point.now), r="4")
            tip = f"{point.label}\n{t('chart.now')}: {t.number(point.now)}"
            if point.before is not None:
                tip += f"\n{earlier}: {t.number(point.before)}"
            for text in point.annotations:
                tip += f"\n– {text}"
            if point.annotations:
                _element("circle", self._plot, cx=x, cy=str(self._height), r="5", class_="noted")
            _element("title", mark).text = tip

    def _dot(self, place: int, value: int | None, name: str) -> None:
        if value is not None:
            _element(
                "circle", self._plot, cx=self._x(place), cy=self._y(value), r="3.5", class_=name
            )

    def _x(self, place: int) -> str:
        return f"{self._across.project(place, 0, self._width):.1f}"

    def _y(self, value: int) -> str:
        return f"{self._up.project(value, self._height, 0):.1f}"


def _element(name: str, parent: Xml.Element | None = None, **attributes: str) -> Xml.Element:
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    return Xml.Element(name, given) if parent is None else Xml.SubElement(parent, name, given)


def _markup(root: Xml.Element) -> Markup:
    return Markup(Xml.tostring(root, encoding="unicode"))  # noqa: S704  # escaped by ElementTree
