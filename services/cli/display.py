"""The options of `luot site` that say how a site's block looks."""

from typing import Annotated, Any

import typer

from services.cli.connection import fail
from services.model import display
from services.model.lines import Line

# As text: which values there are is said by the API, which may be newer than this command.
_PANEL = "Block"
*_PRESETS, _LAST_PRESET = display.Preset

Lines = Annotated[
    str | None,
    typer.Option(
        help=f"Lines of the block in order: {','.join(Line)}.",
        rich_help_panel=_PANEL,
    ),
]
Lang = Annotated[str | None, typer.Option(help="vi or en.", rich_help_panel=_PANEL)]
Theme = Annotated[str | None, typer.Option(help="light, dark or auto.", rich_help_panel=_PANEL)]
Preset = Annotated[
    str | None,
    typer.Option(help=f"{', '.join(_PRESETS)} or {_LAST_PRESET}.", rich_help_panel=_PANEL),
]
Digits = Annotated[
    int | None,
    typer.Option(help="Digits of the total on top, 0 for none.", rich_help_panel=_PANEL),
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="Thousands: plain, dot, comma or space.", rich_help_panel=_PANEL),
]
Heading = Annotated[
    str | None, typer.Option(help="Text over the block, '' for none.", rich_help_panel=_PANEL)
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        help="Another label for a line: online='Trực tuyến'. Repeat.",
        rich_help_panel=_PANEL,
    ),
]
Reset = Annotated[
    list[str] | None,
    typer.Option(
        "--reset",
        help="Option of the block that gets its default back. Repeat.",
        rich_help_panel=_PANEL,
    ),
]


def fields(
    lines: str | None,
    lang: str | None,
    theme: str | None,
    preset: str | None,
    digits: int | None,
    form: str | None,
    heading: str | None,
    labels: list[str] | None,
    reset: list[str] | None = None,
) -> dict[str, Any]:
    """Return the display settings that are given, as the API takes them; null is a reset."""
    given: dict[str, Any] = {
        "lines": None if lines is None else [name.strip() for name in lines.split(",") if name],
        "lang": lang,
        "theme": theme,
        "preset": preset,
        "digits": digits,
        "format": form,
        "heading": heading,
        "labels": dict(_label(text) for text in labels) if labels else None,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in reset or ():
        if name not in given:
            fail(f"--reset {name!r} is no option of the block; expected one of {', '.join(given)}")
        if name in chosen:
            fail(f"--reset {name}: the same option is also set; expected one of both")
    return chosen | dict.fromkeys(reset or ())


def _label(text: str) -> tuple[str, str]:
    name, equals, label = text.partition("=")
    if not equals:
        fail(f"--label {text!r} has no '='; expected for example online='Trực tuyến'")
    return name, label
