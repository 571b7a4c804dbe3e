"""Which User-Agents and referrers an operator allows or denies, without a new release."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from services.model.hosts import fold
from services.runtime.reasons import reason
from services.settings import SettingsError

_log = logging.getLogger(__name__)
_EXPECTED = "'allow <pattern>' or 'deny <pattern>', or 'referrer <host>'"


class OperatorPatterns(msgspec.Struct, frozen=True):
    """An operator's patterns, which take precedence over everything else.

    allow, deny  regular expressions for User-Agents, case-insensitive
    referrers    hosts of referrer spam: hits from them or their subdomains are taken for bots
    """

    allow: tuple[re.Pattern[str], ...] = ()
    deny: tuple[re.Pattern[str], ...] = ()
    referrers: frozenset[str] = frozenset()

    def is_spam(self, host: str) -> bool:
        """Tell whether a referring host, without `www.`, is referrer spam."""
        spam = self.referrers
        while spam and host:
            if host in spam:
                return True
            host = host.partition(".")[2]
        return False


class PatternsError(ValueError):
    """An unusable file of patterns; the message names line, text and what is expected."""


def read_patterns(text: str) -> OperatorPatterns:
    """Parse lines of patterns; # begins a comment.

    `allow <regular expression>`, `deny <regular expression>`, `referrer <host>`.

    Raises PatternsError.
    """
    sides: dict[str, list[re.Pattern[str]]] = {"allow": [], "deny": []}
    referrers: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        side, _, regex = words.partition(" ")
        if side not in (*sides, "referrer") or not regex.strip():
            raise PatternsError(f"line {number}: {words!r}; expected {_EXPECTED}")
        if side == "referrer":
            referrers.add(_host(number, regex.strip()))
            continue
        try:
            sides[side].append(re.compile(regex.strip(), re.IGNORECASE))
        except re.error as error:
            raise PatternsError(
                f"line {number}: {regex.strip()!r} is no regular expression: {error}"
            ) from None
    return OperatorPatterns(tuple(sides["allow"]), tuple(sides["deny"]), frozenset(referrers))


def _host(number: int, text: str) -> str:
    host = fold(text).removeprefix("*.").removeprefix("www.")
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", host):
        raise PatternsError(f"line {number}: {text!r} is no host, such as spam.example")
    return host


class PatternsFile:
    """The operator's file, reloaded when it changes."""

    def __init__(self, path: Path | None, use: Callable[[OperatorPatterns], None]) -> None:
        """Read the file, if there is one, and call `use` with its patterns.

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
                    f"LUOT_BOT_PATTERNS={str(path)!r} cannot be used: {reason(error)};"
                    f" expected a file of lines {_EXPECTED}"
                ) from None

    def refresh(self) -> None:
        """Reload the file if it was changed; an unusable one changes nothing."""
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
        # Even if the file cannot be used, so that it is reported only once.
        self._changed = changed
        self._use(read_patterns(path.read_text("utf-8")))
