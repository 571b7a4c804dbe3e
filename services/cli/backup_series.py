"""What `luot backup --into` does: a folder of backups, verified, rotated, made again and again."""

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, NoReturn

import typer

from services.cli.backup_records import tell
from services.cli.backup_writing import write
from services.cli.stores import clear_store_errors
from services.cli.terminal import fail, note, say
from services.cli.verify import NOT_GOOD

RETRY = timedelta(minutes=10)
"""After a backup that failed; never later than the next one would come anyway."""
LOOK_SECONDS = 60.0
"""A clock that was set, or a machine that slept, is noticed this late at most."""


class Series(NamedTuple):
    """One folder of backups, and how they are made."""

    into: Path
    data: Path | None
    keep: int | None
    keep_weekly: int
    verify: bool
    scratch: Path | None


def run(series: Series, every: str | None) -> None:
    """Make one backup, or one after another without an end."""
    from services.backup import moment
    from services.backup.trial import TrialError, require_engine

    if series.keep is None and series.keep_weekly:
        fail("--keep-weekly needs --keep")
    try:
        if series.verify:
            require_engine()
        span = None if every is None else timedelta(milliseconds=moment.parse_age(every))
    except (TrialError, ValueError) as error:
        fail(str(error))
    if span is not None and span < timedelta(seconds=1):
        fail(f"--every {every}: expected at least 1s")
    # Also as the first process of a container, which no signal ends that it does not handle.
    before = signal.signal(signal.SIGTERM, _end)
    try:
        if span is None:
            _once(series)
        else:
            _again_and_again(series, span)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: object) -> NoReturn:
    """End, but not without cleaning up."""
    raise SystemExit(128 + number)


def _once(series: Series) -> None:
    from services.backup.shelf import Shelf

    shelf = Shelf(series.into)
    with clear_store_errors(), shelf.held():
        # First: who keeps fewer than before makes room by it.
        _rotate(series)
        path = shelf.begin()
        shelf.room()
        try:
            write(path, series.data, path.with_suffix(""))
            final = shelf.complete(path)
        finally:
            shelf.abandon(path)
        if series.verify:
            _verify(series, final)
        _rotate(series)


def _verify(series: Series, path: Path) -> None:
    """Restore a backup on trial in a process of its own: the engine opens one folder in its life.

    One that is not good is put aside, and the command ends before any other is removed.
    """
    import os

    from services.backup.shelf import Shelf
    from services.store import last_done

    scratch = [] if series.scratch is None else ["--scratch", str(series.scratch)]
    # What is known of the stores stays with us: we tell them.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LUOT_")}
    command = [sys.executable, "-m", "services.cli.main", "verify", str(path), *scratch]
    code = subprocess.run(command, env=environ, check=False).returncode  # noqa: S603  # ourselves
    if code == 0:
        tell({last_done.BACKUP_VERIFIED_MS: int(time.time() * 1000)}, series.data)
        return
    if code == NOT_GOOD:
        aside = Shelf(series.into).condemn(path)
        note(f"the backup is unusable; it is now {aside}", fg="red")
        raise typer.Exit(NOT_GOOD)
    fail(f"{path} was not verified (exit code {code}); it is kept, and so is every other backup")


def _rotate(series: Series) -> None:
    from services.backup.rotation import Rule
    from services.backup.shelf import Shelf

    if series.keep is None:
        return
    gone, left = Shelf(series.into).rotate(Rule(series.keep, series.keep_weekly))
    for path in gone:
        say(f"{path}: removed; newer ones are kept")
    for path in left:
        note(f"{path} is kept: it has files that do not belong to a backup")


def _again_and_again(series: Series, every: timedelta) -> NoReturn:
    from services.backup.rotation import wait
    from services.backup.shelf import Shelf

    not_before = 0.0
    while True:
        with clear_store_errors():
            backups = Shelf(series.into).backups() if series.into.is_dir() else []
        due = wait(backups, every, datetime.now(UTC)).total_seconds()
        left = max(due, not_before - time.monotonic())
        if left > 0:
            time.sleep(min(left, LOOK_SECONDS))
            continue
        pause = min(RETRY, every)
        if code := _in_a_process(series):
            again = f"the next attempt is in {pause.total_seconds() / 60:.0f} min"
            note(f"the backup failed (exit code {code}); {again}")
            not_before = time.monotonic() + pause.total_seconds()


def _in_a_process(series: Series) -> int:
    """Make one backup in a process of its own, and return its exit code.

    What a backup takes of memory is given back that way; this process only waits, for a day.
    """
    given = {
        "--into": series.into,
        "--data": series.data,
        "--keep": series.keep,
        "--keep-weekly": series.keep_weekly,
        "--scratch": series.scratch,
    }
    options = [word for name, value in given.items() if value for word in (name, str(value))]
    verify = ["--verify"] if series.verify else []
    command = [sys.executable, "-m", "services.cli.main", "backup", *options, *verify]
    with subprocess.Popen(command) as process:  # noqa: S603  # ourselves
        try:
            return process.wait()
        except BaseException:
            # It cleans up, too.
            process.terminate()
            raise
