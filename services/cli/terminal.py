"""The terminal side of commands: errors, confirmation, tables, JSON."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from services.cli.language import said

UNUSABLE = 2
"""Exit code for input that cannot be used: an option, a setting, a file, a port."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def say(text: str, *, err: bool = False, fg: str | None = None) -> None:
    """Print a message in the user's language."""
    typer.secho(said(text), err=err, fg=fg)


def note(text: str, fg: str | None = None) -> None:
    """Print a message about the command itself to stderr."""
    typer.secho(f"luot: {said(text)}", err=True, fg=fg)


def fail(message: str) -> NoReturn:
    """End the command with exit code 2 and a message."""
    note(message, fg="red")
    raise typer.Exit(UNUSABLE)


@contextmanager
def clear_errors(*errors: type[Exception]) -> Iterator[None]:
    """End with one message and exit code 2 on SettingsError and on the errors given."""
    from services.settings import SettingsError

    expected: tuple[type[Exception], ...] = (SettingsError, *errors)
    try:
        yield
    except expected as error:
        fail(str(error))


def confirm_removal(kind: str, name: str) -> None:
    """Ask to confirm a removal; end the command unless the answer is yes."""
    if not sys.stdin.isatty():
        fail(
            f"standard input is not a terminal, so the removal of {name} cannot be confirmed; give"
            " --yes"
        )
    ask(f"Remove the {kind} {name}?")


def confirm(question: str) -> None:
    """Ask, and end the command unless the answer is yes."""
    if not sys.stdin.isatty():
        fail(
            f"{said(question)} Standard input is not a terminal, so nobody can be asked; give --yes"
        )
    ask(question)


def ask(question: str, *, err: bool = False) -> None:
    """Ask, whether or not this is a terminal; end the command unless the answer is yes."""
    typer.confirm(said(question), abort=True, err=err)


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of plain text; markup in it is not interpreted."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*map(said, heads))
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def when(ms: int | None, otherwise: str = "") -> str:
    """Format a time in ms since 1970."""
    from datetime import UTC, datetime

    if ms is None:
        return otherwise
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
