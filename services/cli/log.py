"""The commands `luot log create` and `luot log move`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.terminal import Yes, clear_errors, confirm, fail, say

if TYPE_CHECKING:
    from services.log.interface import Log
    from services.log.moving import MoveReport
    from services.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="The log of hits: create it, or move it between Redis and Kafka.",
)


@app.command()
def create(
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="Address of the log. [default: LUOT_LOG_URL]"),
    ] = None,
) -> None:
    """Create the log if it does not exist yet, and check it.

    In Kafka, these are the topics for hits, for notes and for what cannot be decoded, with settings
    that keep hits and with LUOT_PARTITIONS partitions. In Redis, nothing needs to be created.
    """
    from services.settings import Settings

    with _clear_log_errors():
        asyncio.run(_create(Settings.read(), url))


@app.command()
def move(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Address of the new log.")],
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel a move that was begun but is not done.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Move the log from LUOT_LOG_URL to another server; no hit is lost or counted twice.

    1. Stop every aggregator; leave ingest and the API running.

    2. Run this command. From now on, ingest takes hits into its spool.

    3. Set LUOT_LOG_URL to the new log everywhere, and restart ingest, the aggregators and the API:
    ingest drains its spool there.

    If it is interrupted, run it again, whatever was killed.
    """
    from services.settings import Settings

    with _clear_log_errors():
        settings = Settings.read()
        if cancel:
            asyncio.run(_move(settings, to, back=True))
            say("The log stays where it is and takes hits again. Start the aggregators.")
            return
        if not yes:
            confirm("Is every aggregator stopped, and should the log be moved now?")
        report = asyncio.run(_move(settings, to, back=False))
    if report.before:
        say("The log has already been moved there.")
    else:
        say(
            f"Moved: {report.entries} entries, {report.waiting} of them not counted yet, and the"
            f" sequence numbers of {report.producers} producers."
        )
    say(
        "Now set LUOT_LOG_URL to the new log everywhere, and restart ingest, the aggregators and"
        " the API. Then make a backup: this log cannot bring older ones up to date."
    )


async def _create(settings: "Settings", url: str | None) -> None:
    log = _opened(settings, url) if url else _own(settings)
    try:
        made = await log.admin.make()
        await log.check(unsafe_eviction=False)
        checks = await log.examine()
    finally:
        await log.close()
    for name in made:
        say(f"created the topic {name}")
    if not made:
        say(log.texts.nothing_to_create)
    for check in checks:
        if check.ok is True:
            say(f"right: {check.name}: {check.value}")
        elif check.ok is False:
            say(f"wrong: {check.name}: {check.value}. {check.advice}")
        else:
            say(f"note: {check.name}: {check.value}. {check.advice}")
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


async def _move(settings: "Settings", to: str, *, back: bool) -> "MoveReport":
    from services.backup.rewind import WARM_UP_MS
    from services.log import moving

    source, target = _own(settings), _opened(settings, to)
    try:
        if back:
            await moving.cancel(source, target)
            return moving.MoveReport()
        return await moving.move(source, target, WARM_UP_MS, _sealing)
    finally:
        await source.close()
        await target.close()


def _sealing() -> None:
    say("From now on, ingest takes hits into its spool.")


def _own(settings: "Settings") -> "Log":
    from services.log.open import log_of

    return log_of(settings)


def _opened(settings: "Settings", url: str) -> "Log":
    from services.log.open import open_log

    try:
        log = open_log(url, partitions=settings.partitions, group=settings.group)
    except ValueError as error:
        fail(f"this is not the URL of a log: {error}")
    log.require_replicas(settings.redis_replicas)
    return log


@contextmanager
def _clear_log_errors() -> Iterator[None]:
    from services.log.errors import LogError, LogInUseError, LogRefusedError

    with clear_errors(LogError, LogInUseError, LogRefusedError):
        yield
