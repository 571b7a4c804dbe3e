"""A progress bar of rows, for `luot backup` and `luot restore`."""


class RowProgress:
    """A progress bar of rows; silent when stderr is not a terminal."""

    def __init__(self, name: str, total: int | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        console = Console(stderr=True)
        self._progress = Progress(
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(name, total=total)

    def __enter__(self) -> "RowProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def total(self, rows: int) -> None:
        self._progress.update(self._task, total=rows)

    def advance(self, rows: int) -> None:
        self._progress.advance(self._task, rows)
