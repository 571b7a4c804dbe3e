"""The options of `luot site` for the appearance of a site's block."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli.terminal import fail
from services.model.display import CHOICES
from services.model.lines import Line

# Plain text: the API, which may be newer than this command, decides which values are valid.
_PANEL = "Block"


def _choice(name: str) -> Any:
    """Return an option that takes one of a few values."""
    choice = CHOICES[name]
    *others, last = choice.values
    text = f"{_sentence(choice.about)}: {', '.join(others)} or {last}."
    return typer.Option(
        help=f"{text} {_sentence(choice.more)}." if choice.more else text, rich_help_panel=_PANEL
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


Lines = Annotated[
    str | None,
    typer.Option(
        help=f"Lines of the block in order: {','.join(Line)}.",
        rich_help_panel=_PANEL,
    ),
]
Lang = Annotated[str | None, _choice("lang")]
Theme = Annotated[str | None, _choice("theme")]
Preset = Annotated[str | None, _choice("preset")]
Digits = Annotated[
    int | None,
    typer.Option(
        help="Number of digits of the total at the top; 0 for no total there.",
        rich_help_panel=_PANEL,
    ),
]
Format = Annotated[str | None, _choice("format")]
Heading = Annotated[
    str | None, typer.Option(help="Heading of the block; '' for none.", rich_help_panel=_PANEL)
]
Icons = Annotated[str | None, _choice("icons")]
Layout = Annotated[str | None, _choice("layout")]
Odometer = Annotated[str | None, _choice("odometer")]
Wording = Annotated[str | None, _choice("wording")]
Unit = Annotated[
    str | None,
    typer.Option(
        help="Word after each number except that of visitors online, such as lượt.",
        rich_help_panel=_PANEL,
    ),
]
Gap = Annotated[str | None, _choice("gap")]
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
