"""The style sheet of the elements: `sources/block.css` plus the looks of each preset."""

from collections.abc import Mapping

from services.model.display import Preset
from services.widget.looks import DARK_EDGE, FRAMED, PRESETS, Looks

_ACCENT = "var(--luot-accent, var(--accent))"
_TITLE = {
    "margin": "0 0.8em",
    "padding": "0.5em 0",
    "border-bottom": "2px solid currentcolor",
    "font-size": "1.1em",
}


def style_sheet(block: str, presets: Mapping[Preset, Looks] = PRESETS) -> str:
    """Return the whole style sheet; `block` is what all presets share.

    What presets have in common with FRAMED is written once, at the beginning. The preset `plain`
    takes its font and colours from the page around it, so its looks are in `block`, except for its
    two themes. Raises ValueError for another preset of that kind.
    """
    framed = _variables(FRAMED)
    front = _rule('[part="block"]', {**framed, "--edge": f"light-dark(transparent,{DARK_EDGE})"})
    themed = {name: framed[name] for name in ("--text", "--back")}
    parts = [front, block, _rule(".plain:is(.light, .dark)", themed)]
    for preset, looks in presets.items():
        if preset is not Preset.PLAIN:
            if not looks.spread:
                raise ValueError(f"{preset}: spread is False; only {Preset.PLAIN} can be so")
            parts += _rules(preset, looks, framed)
    return "\n".join(parts)


def _rules(preset: Preset, looks: Looks, framed: Mapping[str, str]) -> list[str]:
    own = {name: value for name, value in _variables(looks).items() if value != framed[name]}
    if not looks.frame:
        own["border-width"] = "0"
    if looks.bar:
        own["border-left"] = f"{looks.bar}px solid {_ACCENT}"
    heading = dict(_TITLE) if looks.title else {}
    if looks.head_bar:
        heading["border-left"] = f"{looks.head_bar}px solid {_ACCENT}"
    rules = [_rule(f".{preset}", own)]
    if heading:
        rules.append(_rule(f'.{preset} [part="heading"]', heading))
    return rules


def _variables(looks: Looks) -> dict[str, str]:
    light, dark = looks.light, looks.dark
    # A heading that has the colours of the block follows those that a portal sets.
    follows_back = (light.head, dark.head) == (light.back, dark.back)
    follows_text = (light.on_head, dark.on_head) == (light.text, dark.text)
    return {
        "--text": _colour(light.text, dark.text),
        "--back": _colour(light.back, dark.back),
        "--line": _colour(light.line, dark.line),
        "--accent": _colour(light.accent, dark.accent),
        "--head": "none" if follows_back else _colour(light.head, dark.head),
        "--on-head": "var(--text)" if follows_text else _colour(light.on_head, dark.on_head),
        "--radius": f"{looks.radius}px" if looks.radius else "0",
        "--rule": looks.rule,
        "--digit": _short(looks.digit),
    }


def _colour(light: str, dark: str) -> str:
    if light == dark:
        return _short(light)
    return f"light-dark({_short(light)},{_short(dark)})"


def _short(colour: str) -> str:
    """Return `#aabbcc` as `#abc`: the builder does not shorten values of variables."""
    one, two, three = colour[1::2], colour[2::2], "#" + colour[1::2]
    return three if one == two else colour


def _rule(selector: str, declarations: Mapping[str, str]) -> str:
    inside = "".join(f"{name}:{value};" for name, value in declarations.items())
    return f"{selector}{{{inside}}}"
