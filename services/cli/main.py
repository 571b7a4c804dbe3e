"""The command `luot`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from services import __version__
from services.cli.audit import app as audit
from services.cli.backup import app as backup
from services.cli.balance import app as balance
from services.cli.connection import fail
from services.cli.doctor import app as doctor
from services.cli.import_logs import app as import_logs
from services.cli.site import app as site
from services.cli.snippet import app as snippet
from services.cli.tail import app as tail
from services.cli.token import app as token
from services.cli.user import app as user
from services.runtime import log_setup

# Whatever is heavy (the embedded engine, Faust, FastAPI) is imported by the command that needs it.

app = typer.Typer(
    name="luot",
    help="Counts visits to web portals, exactly once, and shows the count on the page.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(site, name="site")
app.add_typer(user, name="user")
app.add_typer(token, name="token")
app.add_typer(balance, name="balance")
app.add_typer(audit)
app.add_typer(snippet)
app.add_typer(backup)
app.add_typer(doctor)
app.add_typer(import_logs)
app.add_typer(tail)


def main() -> None:
    """Run the command line."""
    app()


@contextmanager
def clear_errors(*errors: type[Exception]) -> Iterator[None]:
    """End with one message and exit code 2 on SettingsError and on the errors given."""
    from services.settings import SettingsError

    expected: tuple[type[Exception], ...] = (SettingsError, *errors)
    try:
        yield
    except expected as error:
        fail(str(error))


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"luot {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


Host = Annotated[str | None, typer.Option(help="Address to listen on (LUOT_HOST).")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on (LUOT_PORT).")]


@app.command()
def up(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of everything that must survive. [default: ./data]"),
    ] = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Run everything in one process, with embedded stores and demo portals at /demo.

    Ctrl-C stops it; everything is still there at the next start.
    """
    from services.embedded.errors import UpError
    from services.standalone.settings import UpSettings
    from services.store.interface import StoreError

    with clear_errors(UpError, StoreError):
        settings = UpSettings.read(**_given(data=data, host=host, port=port))
        try:
            from services.standalone.app import run
        except ImportError as error:
            raise UpError(
                f"{error.name} is missing: install Luot with its extra 'standalone'"
            ) from None
        run(settings, _say)


@app.command()
def ingest(host: Host = None, port: Port = None) -> None:
    """Run ingest: takes hits from browsers into the log."""
    from services.ingest.settings import IngestSettings

    def run(settings: Any) -> None:
        from services.ingest.app import run

        run(settings)

    _service(IngestSettings, run, host, port)


@app.command()
def aggregator(host: Host = None, port: Port = None) -> None:
    """Run the aggregator: folds the log into the counters of the store."""
    from services.aggregator.settings import AggregatorSettings

    def run(settings: Any) -> None:
        from services.aggregator.serve import run

        run(settings)

    _service(AggregatorSettings, run, host, port)


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Run the API: answers with the counters, serves counter.js and the administration."""
    from services.api.settings import ApiSettings

    def run(settings: Any) -> None:
        from services.api.app import run

        run(settings)

    _service(ApiSettings, run, host, port)


def _service(settings: Any, run: Callable[[Any], None], host: str | None, port: int | None) -> None:
    from services.store.interface import StoreError

    with clear_errors(StoreError):
        chosen = settings.read(**_given(host=host, port=port))
        log_setup.to_stderr(chosen.log_level)
        run(chosen)


@app.command()
def migrate() -> None:
    """Bring the schema of the store up to date (LUOT_CLICKHOUSE_URL)."""
    import asyncio

    from services.settings import StoreSettings
    from services.store.interface import StoreError

    async def work(settings: StoreSettings) -> list[str]:
        from services.store.migrations import fix_partitions, migrate
        from services.store.open import open_store

        store = open_store(settings.clickhouse_url.get_secret_value())
        try:
            applied = await migrate(store)
            await fix_partitions(store, settings.partitions)
        finally:
            await store.close()
        return applied

    with clear_errors(StoreError, ValueError):
        applied = asyncio.run(work(StoreSettings.read()))
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("the schema is up to date")


SiteOption = Annotated[str, typer.Option(help="Slug of the site that is counted.")]
Url = Annotated[
    str | None,
    typer.Option(help="Where ingest is. [default: LUOT_URL, or http://127.0.0.1:8000]"),
]
Connections = Annotated[int, typer.Option(min=1, max=1000, help="Requests under way at once.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


@app.command()
def replay(
    file: Annotated[str, typer.Argument(help="Access log, plain or .gz; - is standard input.")],
    site: SiteOption,
    url: Url = None,
    speed: Annotated[
        float, typer.Option(min=0, help="Times the log's own pace; 0 is as fast as it goes.")
    ] = 0.0,
    host: Annotated[
        str | None, typer.Option(help="Host name of the pages. [default: SITE.example]")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Send this many pages at most.")] = None,
    connections: Connections = 64,
    as_json: Json = False,
) -> None:
    """Send the pages of an access log (combined or common format) as real HTTP hits.

    For trying and for load: each hit counts at the time it arrives, not at the time in the log.
    Each visitor keeps the address of the log (X-Forwarded-For), which ingest believes from its
    trusted proxies only. Bots and limits are decided by ingest. Exit code 1: some hits failed.
    """
    from services.access_log.parser import AccessLogError
    from services.cli.traffic_progress import replay as run
    from services.traffic.client import UrlError
    from services.traffic.sender import UnreachableError

    with clear_errors(AccessLogError, UrlError, UnreachableError):
        failed = run(
            file,
            site=site,
            url=_ingest_url(url),
            speed=speed,
            host=host or f"{site}.example",
            limit=limit,
            connections=connections,
            as_json=as_json,
        )
    raise typer.Exit(int(failed))


@app.command()
def simulate(
    site: SiteOption = "demo",
    url: Url = None,
    visitors: Annotated[int, typer.Option(min=1, help="How many visitors come.")] = 100,
    seconds: Annotated[
        float, typer.Option(min=0, help="Within this time; 0 is as fast as it goes.")
    ] = 60.0,
    host: Annotated[
        str | None, typer.Option(help="Host name of the pages. [default: SITE.example]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same visitors.")] = None,
    connections: Connections = 64,
    as_json: Json = False,
) -> None:
    """Send made-up visitors to the pages of a demo portal as real HTTP hits.

    They come on phones and desktops, from search engines and elsewhere, read a few pages, and
    some are bots. Exit code 1: some hits failed.
    """
    from services.cli.traffic_progress import simulate as run
    from services.traffic.client import UrlError
    from services.traffic.sender import UnreachableError

    with clear_errors(UrlError, UnreachableError):
        failed = run(
            site=site,
            url=_ingest_url(url),
            count=visitors,
            seconds=seconds,
            host=host or f"{site}.example",
            seed=seed,
            connections=connections,
            as_json=as_json,
        )
    raise typer.Exit(int(failed))


def _ingest_url(given: str | None) -> str:
    from services.cli.settings import ClientSettings

    return given or ClientSettings.read().url


def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _say(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
