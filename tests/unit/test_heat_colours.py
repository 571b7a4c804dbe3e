"""Numbers in the table of hours can be read on every shade, in light and dark mode."""

import re
from pathlib import Path

import pytest

from services.api.dashboard.traffic import heat_table
from tests.unit.test_embed import contrast

STYLES = Path(heat_table.__file__).parents[1] / "static" / "admin.css"
DARK = "@media (prefers-color-scheme: dark)"


def variables(mode: str) -> dict[str, str]:
    """Return the colours of a mode, in six digits."""
    text = STYLES.read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)[:2]
    assert text.index(DARK) < text.index(dark)
    named = re.findall(r"--(\w+): #([0-9a-f]+);", light if mode == "light" else dark)
    return {name: "#" + (value if len(value) == 6 else value * 2) for name, value in named}


def mixed(over: str, ground: str, opacity: float) -> str:
    """Return the colour of one that lies over another."""
    pairs = [(int(over[n : n + 2], 16), int(ground[n : n + 2], 16)) for n in (1, 3, 5)]
    return "#" + "".join(f"{round(a * opacity + b * (1 - opacity)):02x}" for a, b in pairs)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_number_of_the_busiest_hour_can_be_read(mode: str) -> None:
    colours = variables(mode)
    rules = r"\.week tbody \.shade-(\d)::before \{ opacity: (\.\d+) \}"
    shades = dict(re.findall(rules, STYLES.read_text("utf-8")))
    assert [*map(int, shades)] == [*range(1, heat_table.SHADES + 1)]
    for opacity in map(float, shades.values()):
        ground = mixed(colours["accent"], colours["card"], opacity)
        assert contrast(colours["text"], ground) >= 4.5, opacity
