"""`luot backup --into`: a folder of backups that are made repeatedly, verified and rotated."""

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
"""Wait after a failed backup, but never longer than until the next one is due anyway."""
LOOK_SECONDS = 60.0
"""The longest sleep, so that a changed clock or a suspend of the machine is noticed by then."""


class Series(NamedTuple):
    """One folder of backups, and how they are made."""

    into: Path
    data: Path | None
    keep: int | None
    keep_weekly: int
    verify: bool
    scratch: Path | None


def run(series: Series, every: str | None) -> None:
    """Make one backup, or one after another indefinitely."""
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
    # PID 1 of a container is ended only by signals that it handles.
    before = signal.signal(signal.SIGTERM, _end)
    try:
        if span is None:
            _once(series)
        else:
            _again_and_again(series, span)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: object) -> NoReturn:
    """End, but clean up first."""
    raise SystemExit(128 + number)


def _once(series: Series) -> None:
    from services.backup.shelf import Shelf

    shelf = Shelf(series.into)
    with clear_store_errors(), shelf.held():
        # First, because keeping fewer backups than before frees space.
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
    """Do a trial restore in a child process: the engine can open only one folder per process.

    An unusable backup is set aside, and the command ends before any other is removed.
    """
    import os

    from services.backup.shelf import Shelf
    from services.store.meta import last_done

    scratch = [] if series.scratch is None else ["--scratch", str(series.scratch)]
    # The child does not get the settings of the stores: this process records the result there.
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
    """Make one backup in a child process, and return its exit code.

    This returns the memory that a backup takes; this process only waits, perhaps for a day.
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
            # The child cleans up, too.
            process.terminate()
            raise
