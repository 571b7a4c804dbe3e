"""Which User-Agents an operator lets in or keeps out, without a release."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from services.settings import SettingsError

_log = logging.getLogger(__name__)


class OperatorPatterns(msgspec.Struct, frozen=True):
    """What an operator says before anything else is asked; regular expressions, any case."""

    allow: tuple[re.Pattern[str], ...] = ()
    deny: tuple[re.Pattern[str], ...] = ()


class PatternsError(ValueError):
    """A file of patterns that cannot be used; the message names line, text and what is expected."""


def read_patterns(text: str) -> OperatorPatterns:
    """Read lines `allow <regular expression>` and `deny <regular expression>`; # begins a remark.

    Raises PatternsError.
    """
    sides: dict[str, list[re.Pattern[str]]] = {"allow": [], "deny": []}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        side, _, regex = words.partition(" ")
        if side not in sides or not regex.strip():
            raise PatternsError(
                f"line {number}: {words!r}; expected 'allow <pattern>' or 'deny <pattern>'"
            )
        try:
            sides[side].append(re.compile(regex.strip(), re.IGNORECASE))
        except re.error as error:
            raise PatternsError(
                f"line {number}: {regex.strip()!r} is no regular expression: {error}"
            ) from None
    return OperatorPatterns(tuple(sides["allow"]), tuple(sides["deny"]))


class PatternsFile:
    """The operator's file, read again when it changes."""

    def __init__(self, path: Path | None, use: Callable[[OperatorPatterns], None]) -> None:
        """Read the file, if there is one, and let `use` have its patterns.

        Raises SettingsError when it cannot be used.
        """
        self._path = path
        self._use = use
        self._changed = 0
        if path is not None:
            try:
                self._load(path)
            except (OSError, UnicodeDecodeError, PatternsError) as error:
                raise SettingsError(
                    f"LUOT_BOT_PATTERNS={str(path)!r} cannot be used: {error};"
                    " expected a file of lines 'allow <pattern>' and 'deny <pattern>'"
                ) from None

    def refresh(self) -> None:
        """Read the file again when it was changed; one that cannot be used changes nothing."""
        if self._path is None:
            return
        try:
            if self._path.stat().st_mtime_ns != self._changed:
                self._load(self._path)
        except (OSError, UnicodeDecodeError, PatternsError) as error:
            _log.warning("patterns of bots: %s; keeping those in use", error)

    def _load(self, path: Path) -> None:
        changed = path.stat().st_mtime_ns
        if changed == self._changed:
            return
        # Also of a file that cannot be used: it is complained of once.
        self._changed = changed
        self._use(read_patterns(path.read_text("utf-8")))
