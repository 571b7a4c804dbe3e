"""The options of `luot site` for the appearance of a site's block."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli.terminal import fail
from services.model import display, wordings
from services.model.lines import Line

# Plain text: the API, which may be newer than this command, decides which values are valid.
_PANEL = "Block"
*_PRESETS, _LAST_PRESET = display.Preset

Lines = Annotated[
    str | None,
    typer.Option(
        help=f"Lines of the block in order: {','.join(Line)}.",
        rich_help_panel=_PANEL,
    ),
]
Lang = Annotated[str | None, typer.Option(help="Language: vi or en.", rich_help_panel=_PANEL)]
Theme = Annotated[
    str | None, typer.Option(help="Theme: light, dark or auto.", rich_help_panel=_PANEL)
]
Preset = Annotated[
    str | None,
    typer.Option(
        help=f"How the block looks: {', '.join(_PRESETS)} or {_LAST_PRESET}.",
        rich_help_panel=_PANEL,
    ),
]
Digits = Annotated[
    int | None,
    typer.Option(
        help="Number of digits of the total at the top; 0 for no total there.",
        rich_help_panel=_PANEL,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        help="Thousands separator: plain (none), dot, comma or space.", rich_help_panel=_PANEL
    ),
]
Heading = Annotated[
    str | None, typer.Option(help="Heading of the block; '' for none.", rich_help_panel=_PANEL)
]
Icons = Annotated[
    str | None,
    typer.Option(help="Icon before each label: none, line or tile.", rich_help_panel=_PANEL),
]
Layout = Annotated[
    str | None,
    typer.Option(help="Layout: list, table, card or inline (one line).", rich_help_panel=_PANEL),
]
Odometer = Annotated[
    str | None,
    typer.Option(help="Style of the digits: tiles, plain, led or classic.", rich_help_panel=_PANEL),
]
Wording = Annotated[
    str | None,
    typer.Option(
        help=f"Set of lines and labels: {', '.join(wordings.Wording)}.", rich_help_panel=_PANEL
    ),
]
Unit = Annotated[
    str | None,
    typer.Option(
        help="Word after each number except that of visitors online, such as lượt.",
        rich_help_panel=_PANEL,
    ),
]
Gap = Annotated[
    str | None,
    typer.Option(
        help="Gap after the lines about who is online: none or online.", rich_help_panel=_PANEL
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        help="Label for a line, in place of the usual one: online='Trực tuyến'. Repeatable.",
        rich_help_panel=_PANEL,
    ),
]
Reset = Annotated[
    list[str] | None,
    typer.Option(
        "--reset",
        help="Option of the block to reset to its default. Repeatable.",
        rich_help_panel=_PANEL,
    ),
]


OPTIONS: dict[str, Any] = {
    "lines": Lines,
    "lang": Lang,
    "theme": Theme,
    "preset": Preset,
    "digits": Digits,
    "format": Format,
    "heading": Heading,
    "labels": Labels,
    "icons": Icons,
    "layout": Layout,
    "odometer": Odometer,
    "wording": Wording,
    "unit": Unit,
    "gap": Gap,
}
"""By field name in the API."""


def fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the display settings from the options, as the API expects them; null resets one."""
    # Typer gives an empty list for an option that was not used.
    chosen = {name: given[name] for name in OPTIONS if given[name] not in (None, [])}
    if "lines" in chosen:
        chosen["lines"] = [name.strip() for name in chosen["lines"].split(",") if name]
    if "labels" in chosen:
        chosen["labels"] = dict(_label(text) for text in chosen["labels"])
    reset = given.get("reset") or ()
    for name in reset:
        if name not in OPTIONS:
            expected = ", ".join(OPTIONS)
            fail(f"--reset {name!r} is not an option of the block; expected one of {expected}")
        if name in chosen:
            fail(f"--reset {name}: the same option is also set; expected only one of the two")
    return chosen | dict.fromkeys(reset)


def _label(text: str) -> tuple[str, str]:
    name, equals, label = text.partition("=")
    if not equals:
        fail(f"--label {text!r} has no '='; expected for example online='Trực tuyến'")
    return name, label
