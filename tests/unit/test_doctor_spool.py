"""`luot doctor` beside an ingest that deletes what it has drained."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest

from services.doctor import run
from services.log import spool_marks
from services.log.open import open_log


def filled(root: Path, name: str, of: str) -> Path:
    """Make a folder of a spool, with two segments, and mark the log that it belongs to."""
    folder = root / name
    folder.mkdir()
    spool_marks.write(spool_marks.mark(folder), of)
    for segment in ("1.seg", "2.seg"):
        (folder / segment).write_bytes(b"x" * 1000)
    return folder


async def test_files_that_go_while_they_are_looked_at_are_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "MIN_FREE_BYTES", 0)
    log = open_log(f"memory://{secrets.token_hex(4)}", partitions=1)
    await log.create()
    await log.identify("this")
    own, other = filled(tmp_path, "own", "this"), filled(tmp_path, "other", "another")
    stat, iterdir = Path.stat, Path.iterdir

    def stat_and_delete(path: Path, **options: Any) -> os.stat_result:
        found = stat(path, **options)
        if path.name.endswith(".seg"):
            path.unlink()
        return found

    def delete_and_iterate(path: Path) -> Any:
        if path == other:
            shutil.rmtree(path)
        return iterdir(path)

    # Gone between the listing and the look.
    (own / "0.seg").symlink_to(own / "nothing")
    monkeypatch.setattr(Path, "stat", stat_and_delete)
    monkeypatch.setattr(Path, "iterdir", delete_and_iterate)
    checks = await run.spool(log, {"LUOT_SPOOL": str(tmp_path)})
    assert [(check.name, check.ok) for check in checks] == [
        ("spool", True),
        ("spools of other logs", True),
    ]
    waiting = 4 * 1000 + sum(len(name) + 1 for name in ("this", "another"))
    assert f"{waiting:,} bytes waiting" in checks[0].found
    await log.close()
