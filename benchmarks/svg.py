"""A line chart as SVG: small enough to read in a diff, and readable on light and dark pages."""

import math
from collections.abc import Mapping, Sequence
from html import escape

import msgspec

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b7791f")
# One grey reads on white and on black; the text of the page around it says the rest.
GREY = "#7b8794"

Points = Sequence[tuple[float, float]]


class Axis(msgspec.Struct, frozen=True):
    """One axis: what it shows, and whether it is logarithmic."""

    title: str
    logarithmic: bool = False

    def scale(self, value: float) -> float:
        """Return where a value lies, in units of the axis."""
        return math.log10(value) if self.logarithmic else value


class Scale(msgspec.Struct, frozen=True):
    """Values of an axis to pixels."""

    axis: Axis
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (self.axis.scale(value) - self.low) / ((self.high - self.low) or 1)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round values within the axis."""
        if self.axis.logarithmic:
            whole = range(math.floor(self.low), math.ceil(self.high) + 1)
            found = [factor * 10.0**power for power in whole for factor in (1, 2, 5)]
            lowest, highest = 10**self.low * 0.999, 10**self.high * 1.001
            found = [value for value in found if lowest <= value <= highest]
            return found if len(found) < 9 else [v for v in found if str(v).lstrip("0.")[0] == "1"]
        step = 10 ** math.floor(math.log10(self.high or 1))
        step = next(s for s in (step / 5, step / 2, step, 2 * step) if self.high / s <= 6)
        return [number * step for number in range(int(self.high / step) + 1)]


def chart(title: str, x: Axis, y: Axis, lines: Mapping[str, Points]) -> str:
    """Return the chart of some lines, each a list of (x, y) with its name beside its end."""
    everything = [point for points in lines.values() for point in points]
    across = _scale(x, [point[0] for point in everything], LEFT, WIDTH - RIGHT)
    up = _scale(y, [point[1] for point in everything], HEIGHT - BOTTOM, TOP)
    parts = [*_frame(title, across, up)]
    ends: list[float] = []
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{across.at(a):.1f},{up.at(b):.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across.at(a):.1f}" cy="{up.at(b):.1f}" r="3" fill="{colour}"/>'
            for a, b in points
        ]
        end = up.at(points[-1][1])
        while any(abs(end - other) < 14 for other in ends):
            end += 14
        ends.append(end)
        parts.append(_text(WIDTH - RIGHT + 10, end + 4, name, colour, "start"))
    return "\n".join((*parts, "</svg>", ""))


def _scale(axis: Axis, values: Sequence[float], start: float, end: float) -> Scale:
    scaled = [axis.scale(value) for value in values]
    low = min(scaled) if axis.logarithmic else 0.0
    high = max(scaled) if axis.logarithmic else max(scaled) * 1.05
    return Scale(axis, low, high, start, end)


def _frame(title: str, x: Scale, y: Scale) -> list[str]:
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            f' font-family="sans-serif" font-size="12"><title>{escape(title)}</title>'
        ),
        _text(LEFT, 20, title, GREY, "start", "bold"),
        _text((x.start + x.end) / 2, HEIGHT - 10, x.axis.title, GREY, "middle"),
        _text(LEFT, TOP - 6, y.axis.title, GREY, "start"),
    ]
    for value in x.ticks():
        at = x.at(value)
        parts.append(_line(at, y.start, at, y.start + 5))
        parts.append(_text(at, y.start + 20, _shown(value), GREY, "middle"))
    for value in y.ticks():
        at = y.at(value)
        parts.append(_line(x.start, at, x.end, at))
        parts.append(_text(x.start - 8, at + 4, _shown(value), GREY, "end"))
    return parts


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{GREY}" stroke-opacity="0.4"/>'
    )


def _text(x: float, y: float, text: str, colour: str, anchor: str, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"'
        f' font-weight="{weight}">{escape(text)}</text>'
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"
