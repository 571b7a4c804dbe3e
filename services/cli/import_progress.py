"""The progress of `luot import` on the terminal."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from services.access_log.client import UploadState
from services.access_log.file import LogFile
from services.cli.language import said
from services.cli.terminal import note


class ImportProgressBar:
    """Progress on the terminal, on standard error."""

    def __init__(self, quiet: bool) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
            disable=quiet,
        )
        self._read_lines = 0
        self._began = time.monotonic()
        self._task = self._progress.add_task("", total=None)
        self._before = 0
        self._size = 0
        self._lines = 0
        self._text = ""

    def __enter__(self) -> "ImportProgressBar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def looks_at(self, path: Path) -> None:
        """Show which file is being examined."""
        self._progress.update(self._task, description=said(f"looking at {path.name}"))

    def warn(self, files: Sequence[LogFile], states: Sequence[UploadState]) -> None:
        """Print the warnings to know before anything is counted, each once."""
        groups = [*(file.warnings for file in files), *(state.warnings for state in states)]
        warnings = dict.fromkeys(text for texts in groups for text in texts)
        for text in warnings:
            note(f"note: {said(text)}", fg="yellow")

    def begin(self, files: Sequence[Any]) -> None:
        """Set the total size of the files."""
        total = sum(file.stamp.size for file in files)
        self._began = time.monotonic()
        self._progress.update(self._task, total=total, completed=0)

    def read(self, file: Any, log: Any) -> None:
        """Show how far a file has been read."""
        self._size = log.bytes_read
        self._lines = log.lines
        seconds = max(time.monotonic() - self._began, 0.001)
        rate = (self._read_lines + log.lines) / seconds
        self._text = said(f"{file.path.name}: {log.lines:,} lines, {rate:,.0f} lines/s")
        self._progress.update(
            self._task, completed=self._before + self._size, description=self._text
        )

    def next(self) -> None:
        """Go on to the next file."""
        self._before += self._size
        self._read_lines += self._lines
        self._lines = 0
        self._size = 0

    def waits(self, reason: str) -> None:
        """Show why there is no progress; '' once there is again."""
        text = f"{self._text} ({reason})" if reason else self._text
        self._progress.update(self._task, description=text)
