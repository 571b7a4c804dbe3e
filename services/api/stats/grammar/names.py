"""How Plausible spells values that Luot stores differently: `Desktop` is `desktop` here."""

from collections.abc import Mapping

from services.model import provinces

WRITTEN: Mapping[str, Mapping[str, str]] = {
    "visit:device": {
        "desktop": "Desktop",
        "mobile": "Mobile",
        "tablet": "Tablet",
        "tv": "TV",
        "other": "Other",
    },
    "visit:os": {"macOS": "Mac", "Linux": "GNU/Linux"},
    "visit:browser": {"Edge": "Microsoft Edge"},
}
"""By property: the value in the table → Plausible's word. Others are the same in both."""

_REGION = "visit:region"
_KEPT = {by: {name.lower(): kept for kept, name in names.items()} for by, names in WRITTEN.items()}


def written(by: str, value: str) -> str:
    """Return Plausible's word for a value of the table."""
    return WRITTEN.get(by, {}).get(value, value)


def kept(by: str, value: str) -> str:
    """Return the table's spelling of a value.

    The value may be Plausible's word, in any case, or the name of a province of Viet Nam.
    """
    if by == _REGION:
        return provinces.code_of(value) or value
    return _KEPT.get(by, {}).get(value.lower(), value)
