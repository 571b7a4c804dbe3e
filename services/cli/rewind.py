"""The command `luot rewind`."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.language import grouped, said
from services.cli.stores import Data, clear_store_errors
from services.cli.terminal import Yes, confirm, say

if TYPE_CHECKING:
    from services.backup.rewind import Step

app = typer.Typer()


@app.command()
def rewind(
    to: Annotated[
        str | None,
        typer.Option(
            help="Time (2026-11-22T03:00+07:00), age (90m, 6h, 2d) or position. [default: as far"
            " back as the log is complete]"
        ),
    ] = None,
    data: Data = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Rewind the log, so that the aggregator folds what is still in it again.

    Counters skip what they already include: on a healthy store nothing changes, and one that was
    restored or has lost rows is repaired. Stop every aggregator first. With --data, uses the log of
    a `luot up` that is stopped.
    """
    from services.backup import run
    from services.backup.moment import parse
    from services.embedded.stores import open_stores
    from services.settings import StoreSettings

    async def work(settings: StoreSettings, dry: bool) -> Sequence["Step"]:
        async with open_stores(settings, data) as stores:
            return await run.rewind_all(stores.log, to=target, dry_run=dry)

    with clear_store_errors():
        settings = StoreSettings.read()
        target = None if to is None else parse(to)
        steps = asyncio.run(work(settings, dry=True))
        show_steps(steps)
        if dry_run:
            return
        if all(step.to == step.committed for step in steps):
            say("There is nothing to rewind.")
            return
        if not yes:
            confirm("Rewind?")
        asyncio.run(work(settings, dry=False))
    say("Start the aggregator: it resumes from there.")


def show_steps(steps: Sequence["Step"]) -> None:
    """Print where each partition resumes, and what is missing."""
    from rich.console import Console
    from rich.table import Table

    from services.backup.rewind import describe

    heads = ("partition", "read up to", "resumes from", "entries to fold")
    table = Table(*map(said, heads))
    for step in steps:
        if step.committed is not None or step.entries:
            table.add_row(
                str(step.partition),
                describe(step.committed_ms),
                describe(step.to_ms),
                grouped(step.entries),
            )
    if table.row_count:
        Console().print(table)
    else:
        say("The log is empty, and nothing was read from it.")
    missing = [str(step.partition) for step in steps if step.missing]
    inexact = [str(step.partition) for step in steps if not step.exact and not step.missing]
    if missing:
        say(
            f"Partitions {', '.join(missing)}: the log begins later than that. Hits in between are"
            " no longer in it; if there were any, they stay uncounted."
        )
    if inexact:
        say(
            f"Partitions {', '.join(inexact)}: so close to the beginning of the log, some visits"
            " may count twice; views are exact."
        )
