"""How Plausible writes values that Luot keeps under other names: `Desktop` is `desktop` here."""

from collections.abc import Mapping

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
"""By property: what the table has, and Plausible's word for it. What is not here is the same."""

_KEPT = {by: {name.lower(): kept for kept, name in names.items()} for by, names in WRITTEN.items()}


def written(by: str, value: str) -> str:
    """Return Plausible's word for a value of the table."""
    return WRITTEN.get(by, {}).get(value, value)


def kept(by: str, value: str) -> str:
    """Return what the table has for a value, which may be Plausible's word, in any case."""
    return _KEPT.get(by, {}).get(value.lower(), value)
