"""The display settings of a site as the administration takes and shows them."""

from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from services.model.display import (
    CHOICES,
    MAX_DIGITS,
    MAX_HEADING,
    MAX_LABEL,
    MAX_UNIT,
    Display,
    Format,
    Gap,
    Icons,
    Lang,
    Layout,
    Odometer,
    Preset,
    Theme,
)
from services.model.lines import Line
from services.model.wordings import Wording


class DisplayFields(BaseModel):
    """What an admin may set of a block; null takes back what was set."""

    model_config = ConfigDict(extra="forbid")

    lines: list[Line] | None = Field(None, max_length=len(Line), description="in this order")
    lang: Lang | None = Field(None, description=CHOICES["lang"].description)
    theme: Theme | None = Field(None, description=CHOICES["theme"].description)
    preset: Preset | None = Field(None, description=CHOICES["preset"].description)
    digits: int | None = Field(
        None, ge=0, le=MAX_DIGITS, strict=True, description="above 0: the total on top, padded"
    )
    format: Format | None = Field(None, description=CHOICES["format"].description)
    heading: str | None = Field(None, max_length=MAX_HEADING, description="'' is none")
    labels: dict[Line, Annotated[str, Field(max_length=MAX_LABEL)]] | None = Field(
        None, description="other labels for single lines"
    )
    icons: Icons | None = Field(None, description=CHOICES["icons"].description)
    layout: Layout | None = Field(None, description=CHOICES["layout"].description)
    odometer: Odometer | None = Field(None, description=CHOICES["odometer"].description)
    wording: Wording | None = Field(None, description=CHOICES["wording"].description)
    unit: str | None = Field(
        None, max_length=MAX_UNIT, description="the word after each number but those online"
    )
    gap: Gap | None = Field(None, description=CHOICES["gap"].description)


def merged(display: Display, changes: DisplayFields | None) -> dict[str, Any]:
    """Return a display with only the given fields changed; None clears all.

    As plain values: what the fields cannot express is checked where they become a Display.
    """
    if changes is None:
        return {}
    current: dict[str, Any] = msgspec.to_builtins(display)
    fields = {**current, **changes.model_dump(mode="json", exclude_unset=True)}
    return {name: value for name, value in fields.items() if value is not None}
