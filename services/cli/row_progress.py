"""Progress in rows, for `luot backup`, `luot verify` and `luot restore`."""

import time
from collections.abc import Callable

SAY_SECONDS = 30.0
"""Interval of the progress lines where stderr is not a terminal, as in the log of a job."""


class RowProgress:
    """A progress bar of rows; a line now and then where stderr is not a terminal."""

    def __init__(
        self,
        name: str,
        total: int | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        console = Console(stderr=True)
        self._name = name
        self._rows, self._total = 0, total
        self._monotonic = monotonic
        self._silent = not console.is_terminal
        self._said = monotonic()
        self._progress = Progress(
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=self._silent,
        )
        self._task = self._progress.add_task(name, total=total)

    def __enter__(self) -> "RowProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def total(self, rows: int) -> None:
        """Set the approximate number of rows."""
        self._total = rows
        self._progress.update(self._task, total=rows)

    def advance(self, rows: int) -> None:
        """Add rows that are done."""
        self._rows += rows
        self._progress.advance(self._task, rows)
        if self._silent and self._monotonic() - self._said >= SAY_SECONDS:
            self._say()

    def _say(self) -> None:
        from services.cli.terminal import note

        self._said = self._monotonic()
        of = f" of about {self._total:,}" if self._total else ""
        note(f"{self._name}: {self._rows:,}{of} rows")
