"""The command `luot convert`: turns another counter's export into lines for opening balances."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.terminal import clear_errors, fail, say

if TYPE_CHECKING:
    from services.tables.sums import Sums

app = typer.Typer()


class Lines(StrEnum):
    """The part of an export to print."""

    DAYS = "days"
    PAGES = "pages"
    PERIODS = "periods"


@app.command()
def convert(
    file: Annotated[
        Path,
        typer.Argument(
            help="The export: CSV or an SQL dump of tables (.sql), also as .gz or .zip."
        ),
    ],
    table_format: Annotated[
        str, typer.Option("--format", help="System that it comes from. [default: detected]")
    ] = "",
    lines: Annotated[
        Lines | None,
        typer.Option(
            "--lines",
            help="days: day,visits,views; pages: path,views; periods: total, years and months, as"
            " the system kept them. [default: what the file has, if only one]",
        ),
    ] = None,
    address: Annotated[
        str,
        typer.Option(
            help="Pattern for the addresses of pages, if a table does not have them, with its"
            " columns in braces: /tin-tuc/{cat}/{alias}-{id}.html"
        ),
    ] = "",
    time_zone: Annotated[
        str, typer.Option(help="Time zone in which the portal's days begin.")
    ] = "Asia/Ho_Chi_Minh",
) -> None:
    """Print what another system counted, as CSV for `luot balance import`.

    The format is detected from tables and columns, and reported; a file in no known format is
    refused. What was read, the sums, and what was left out and why are printed on standard error.
    Nothing is sent anywhere.

    [bold]luot convert nukeviet.sql.gz --lines days > days.csv[/bold]
    """
    from services.model.calendar import zone
    from services.tables.convert import convert as convert_file
    from services.tables.line import ReadOptions, TableError

    with clear_errors(TableError, ValueError):
        how = ReadOptions(zone(time_zone), address)
        known, sums = convert_file(file, table_format, how)
    note = typer.style(f"{file}: {known.name}", bold=True)
    say(f"{note}, {sums.lines} lines", err=True)
    for name, count in sorted(how.left_out.items()):
        say(f"  left out: {count} {name}", err=True)
    chosen = lines or _only(sums)
    _summary(sums, chosen)
    _print(sums, chosen)


def _only(sums: "Sums") -> Lines:
    filled = [name for name in Lines if getattr(sums, name)]
    if not filled:
        fail("it holds nothing that can be entered")
    if len(filled) > 1:
        fail(f"it holds {', '.join(filled)}; choose one with --lines")
    return filled[0]


def _summary(sums: "Sums", chosen: Lines) -> None:
    for name in Lines:
        counts = getattr(sums, name)
        if not counts:
            continue
        total = "" if name is Lines.PERIODS else _total(counts)
        span = f", {min(counts)} to {max(counts)}" if name is Lines.DAYS else ""
        mark = " (printed)" if name is chosen else ""
        say(f"  {name}: {len(counts)}{span}{total}{mark}", err=True)


def _total(counts: dict[str, tuple[int, int]]) -> str:
    visits = sum(visits for visits, _ in counts.values())
    views = sum(views for _, views in counts.values())
    return f", {visits} visits, {views} views"


def _print(sums: "Sums", chosen: Lines) -> None:
    import csv
    import sys

    write = csv.writer(sys.stdout, lineterminator="\n").writerow
    if chosen is Lines.PAGES:
        write(("path", "views"))
        for path, (_, views) in sums.pages.items():
            write((path, views))
        return
    write(("day" if chosen is Lines.DAYS else "period", "visits", "views"))
    for start, (visits, views) in getattr(sums, chosen).items():
        write((start, visits, views))
