"""What the presets look like: the single source for badge, iframe page and elements.

`style.py` generates the CSS of `<visitor-counter>` and `<most-read>` from it when the scripts are
built; `tests/browser/test_embed.py` compares element and page.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from services.model.colours import Colours
from services.model.display import Preset, Theme


class Palette(NamedTuple):
    """Colours of one preset in one theme; `back` and `head` may be NO_GROUND."""

    text: str
    back: str
    line: str
    accent: str
    head: str
    on_head: str


class Looks(NamedTuple):
    """One preset.

    digit     colour behind a digit, which is white
    radius    radius of the corners, in pixels
    rule      style of the rule between two lines: solid, dotted or none
    bar       width of a bar along the left edge of the block, in the accent colour; 0 for none
    head_bar  the same along the heading only
    frame     whether the block has a border
    title     whether the heading is larger, over a thick line in the colour of its text
    spread    whether numbers are aligned to the right edge
    """

    light: Palette
    dark: Palette
    digit: str = "#2b3440"
    radius: int = 4
    rule: str = "solid"
    bar: int = 0
    head_bar: int = 0
    frame: bool = True
    title: bool = False
    spread: bool = True

    def edge(self, palette: Palette) -> str:
        """Return the border colour of a digit: on a dark background, its own would be invisible."""
        return DARK_EDGE if palette is self.dark else self.digit

    @property
    def card(self) -> int:
        """The radius of the corners of a card."""
        return min(self.radius, 8) if self.spread else 4

    def bare(self, theme: Theme) -> bool:
        """Whether the block has no background or padding of its own.

        A theme that may be dark needs both.
        """
        return theme is Theme.LIGHT and self.light.back == NO_GROUND


NO_GROUND = "none"
_SHADE = "2e"
"""Alpha of 18%, for lines in the text colour mixed with the background, as in block.css."""
DARK_EDGE = "#56616f"

FRAMED = Looks(
    Palette("#212529", "#ffffff", "#dcdfe4", "#0b57a8", "#f4f6f8", "#212529"),
    Palette("#e6e8eb", "#1b1e24", "#3a4049", "#8ab9f7", "#252a32", "#e6e8eb"),
)
"""A block in a frame, without a preset."""

PRESETS: Mapping[Preset, Looks] = {
    Preset.PLAIN: Looks(
        Palette("#212529", NO_GROUND, "#dcdfe4", "#212529", NO_GROUND, "#212529"),
        Palette("#e6e8eb", "#1b1e24", "#3a4049", "#e6e8eb", "#1b1e24", "#e6e8eb"),
        radius=0,
        rule="none",
        frame=False,
        spread=False,
    ),
    Preset.LIFERAY: Looks(
        Palette("#272833", "#ffffff", "#e7e7ed", "#0b5fff", "#ffffff", "#272833"),
        Palette("#e7e7ed", "#1b1e24", "#393a4a", "#80acff", "#1b1e24", "#e7e7ed"),
        digit="#30313f",
    ),
    Preset.DNN: Looks(
        Palette("#212529", "#ffffff", "#b9cbdc", "#14538c", "#14538c", "#ffffff"),
        Palette("#e6e8eb", "#1b1e24", "#39495a", "#8cc4f2", "#14538c", "#ffffff"),
        digit="#14538c",
        radius=0,
        rule="dotted",
    ),
    Preset.NUKEVIET: Looks(
        Palette("#212529", "#ffffff", "#dddddd", "#b0120a", "#f5f5f5", "#0a5fa5"),
        Palette("#e6e8eb", "#1b1e24", "#3d3d3d", "#ff9d94", "#2a2a2a", "#7fbdf2"),
        digit="#0a5fa5",
        head_bar=4,
    ),
    Preset.JOOMLA: Looks(
        Palette("#212529", "#ffffff", "#dfe3e7", "#152e53", "#152e53", "#ffffff"),
        Palette("#e6e8eb", "#1b1e24", "#37404d", "#a9c4ee", "#152e53", "#ffffff"),
        digit="#152e53",
    ),
    Preset.DRUPAL: Looks(
        Palette("#313638", "#f7f9fa", "#d7e1e8", "#0d6aa8", "#f7f9fa", "#0d1214"),
        Palette("#e5eaee", "#1b2126", "#35424c", "#7cc4f5", "#1b2126", "#ffffff"),
        digit="#0d5e94",
        radius=0,
        bar=6,
    ),
    Preset.WORDPRESS: Looks(
        Palette("#1e1e1e", "#ffffff", "#dcdcde", "#2145e6", "#ffffff", "#1e1e1e"),
        Palette("#f0f0f0", "#1b1e24", "#3c434a", "#9fb1ff", "#1b1e24", "#f0f0f0"),
        digit="#1e1e1e",
        radius=0,
        frame=False,
        title=True,
    ),
    Preset.MODERN: Looks(
        Palette("#1f2937", "#ffffff", "#e5e9f0", "#0f5bd7", "#ffffff", "#0b1f44"),
        Palette("#e5e9f0", "#161b26", "#2c3547", "#8db8ff", "#161b26", "#ffffff"),
        digit="#0f2f6b",
        radius=14,
    ),
    Preset.NATIONAL: Looks(
        Palette("#2b1a12", "#fffdf7", "#ecd9a8", "#b3140c", "#b3140c", "#ffe9a3"),
        Palette("#f4e9dc", "#1f1614", "#54413a", "#ffc94d", "#8f120b", "#ffe9a3"),
        digit="#9c120b",
        radius=6,
        rule="dotted",
    ),
}


@lru_cache
def painted(preset: Preset, colours: Colours) -> Looks:
    """Return the looks of a preset with the portal's colours, applied as the element does."""
    looks = PRESETS[preset]
    return looks._replace(
        light=_painted(looks.light, colours),
        dark=_painted(looks.dark, colours),
        digit=colours.accent or looks.digit,
    )


def _painted(palette: Palette, colours: Colours) -> Palette:
    text, back = colours.color or palette.text, colours.background or palette.back
    return Palette(
        text=text,
        back=back,
        line=colours.color + _SHADE if colours.color else palette.line,
        accent=colours.accent or palette.accent,
        # A heading that has the colours of the block follows them.
        head=back if palette.head == palette.back else palette.head,
        on_head=text if palette.on_head == palette.text else palette.on_head,
    )


def themed(theme: Theme, looks: Looks, rules: Callable[[Palette], str]) -> str:
    """Return the style rules for a theme; those for `auto` follow the reader's system."""
    if theme is Theme.AUTO:
        dark = rules(looks.dark)
        return f"{rules(looks.light)}@media (prefers-color-scheme:dark){{{dark}}}"
    return rules(looks.dark if theme is Theme.DARK else looks.light)
