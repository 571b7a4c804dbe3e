"""Which lines of a log are whose: one that has grown since it was imported is several imports."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from services.access_log.parser import AccessLogError


class Imported(NamedTuple):
    """An import of the site that a file may begin with.

    lines     number of its last line
    first_at  earliest time of its own lines, ms since 1970
    undone    whether it was undone
    """

    lines: int
    first_at: int
    undone: bool = False


class Part(NamedTuple):
    """Lines `after` + 1 to `lines` of a file; `digest` is that of the file up to its end."""

    digest: str
    lines: int
    after: int
    first_at: int
    last_at: int


def parts_of(path: Path, cut: Sequence[Part], known: Mapping[str, Imported]) -> list[Part]:
    """Return the imports of a file that was cut wherever one of its imports ends.

    The register does not say after which line an import began, but its first time does. Raises
    AccessLogError if it could be either of two lines.
    """
    parts: list[Part] = []
    undone: list[Part] = []
    for part in cut:
        imported = known.get(part.digest)
        if imported is not None and not imported.undone:
            if undone:
                counted = _counted(path, [*undone, part], imported)
                if counted:
                    # Not counted any more: these lines can be imported again.
                    parts.append(_joined(undone[:counted]))
                part = _joined([*undone[counted:], part])
            parts.append(part)
            undone = []
        else:
            undone.append(part)
    if undone:
        parts.append(_joined(undone))
    return parts


def _counted(path: Path, cut: Sequence[Part], imported: Imported) -> int:
    """Return with which of the parts up to its end an import began."""
    begins = [
        number for number in range(len(cut)) if _joined(cut[number:]).first_at == imported.first_at
    ]
    if len(begins) != 1:
        raise AccessLogError(
            f"{path} begins with an import that was undone, and it cannot be told whether the"
            f" import {cut[-1].digest[:12]} counted lines of it; undo that one as well, then import"
            " the file again"
        )
    return begins[0]


def _joined(parts: Sequence[Part]) -> Part:
    last = parts[-1]
    return Part(
        last.digest,
        last.lines,
        parts[0].after,
        min(part.first_at for part in parts),
        max(part.last_at for part in parts),
    )
