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
    help="The log of hits: make it where it will be, or move it from Redis to Kafka and back.",
)


@app.command()
def create(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="Where. [default: LUOT_LOG_URL]")
    ] = None,
) -> None:
    """Make the log where it does not exist yet, and check it where it does.

    In Kafka these are the topics of hits, of notes and of what cannot be decoded, with the settings
    that keep hits and with LUOT_PARTITIONS partitions. Redis needs nothing to be made.
    """
    from services.settings import Settings

    with _clear_log_errors():
        asyncio.run(_create(Settings.read(), url))


@app.command()
def move(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where the log goes.")],
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Take a move back that was begun and is not done.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Move the log from LUOT_LOG_URL to another server; no hit is lost or counted twice.

    1. Stop every aggregator; let ingest and API run.

    2. Give this command. Ingest takes hits into its spool from now on.

    3. Set LUOT_LOG_URL to the new log everywhere, and start ingest, aggregator and API again:
    ingest drains its spool there.

    If it is interrupted, give it again, whatever was killed.
    """
    from services.settings import Settings

    with _clear_log_errors():
        settings = Settings.read()
        if cancel:
            asyncio.run(_move(settings, to, back=True))
            say("The log stays where it is and takes hits again. Start the aggregators.")
            return
        if not yes:
            confirm("Is every aggregator stopped, and is the log to be moved now?")
        report = asyncio.run(_move(settings, to, back=False))
    if report.before:
        say("The log is there already.")
    else:
        say(
            f"Moved: {report.entries} entries, {report.waiting} of them not counted yet, and the"
            f" sequences of {report.producers} producers."
        )
    say(
        "Now set LUOT_LOG_URL to the new log everywhere, and start ingest, the aggregators and the"
        " API again. Then make a backup: older ones are not brought up to date by this log."
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
        say(f"made the topic {name}")
    if not made:
        say(
            "Redis needs nothing to be made for the log: a stream begins with its first hit."
            if log.server_name == "Redis"
            else "All topics are there already."
        )
    for check in checks:
        if check.ok is True:
            say(f"right: {check.name}: {check.value}")
        elif check.ok is False:
            say(f"wrong: {check.name}: {check.value}. {check.advice}")
        else:
            say(f"to be known: {check.name}: {check.value}. {check.advice}")
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
    say("Ingest takes hits into its spool from now on.")


def _own(settings: "Settings") -> "Log":
    from services.log.open import log_of

    return log_of(settings)


def _opened(settings: "Settings", url: str) -> "Log":
    from services.log.open import open_log

    try:
        log = open_log(url, partitions=settings.partitions, group=settings.group)
    except ValueError as error:
        fail(f"this is no URL of a log: {error}")
    log.require_replicas(settings.redis_replicas)
    return log


@contextmanager
def _clear_log_errors() -> Iterator[None]:
    from services.log.errors import LogError, LogInUseError, LogRefusedError

    with clear_errors(LogError, LogInUseError, LogRefusedError):
        yield
