"""The commands `luot ingest`, `luot aggregator` and `luot api`: one service each."""

import logging
from collections.abc import Callable
from typing import Annotated, Any

import typer

from services.cli.terminal import UNUSABLE, clear_errors
from services.runtime import log_setup, tracing

app = typer.Typer()

Host = Annotated[str | None, typer.Option(help="Address to listen on (LUOT_HOST).")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on (LUOT_PORT).")]


@app.command()
def ingest(host: Host = None, port: Port = None) -> None:
    """Run ingest, which takes hits from browsers into the log."""
    from services.ingest.settings import IngestSettings

    def run(settings: Any) -> None:
        from services.ingest.app import run

        run(settings)

    _service("ingest", IngestSettings, run, host, port)


@app.command()
def aggregator(host: Host = None, port: Port = None) -> None:
    """Run the aggregator, which folds the log into the counters in the store."""
    from services.aggregator.settings import AggregatorSettings

    def run(settings: Any) -> None:
        from services.aggregator.serve import run

        run(settings)

    _service("aggregator", AggregatorSettings, run, host, port)


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Run the API, which serves the counters, counter.js and the dashboard."""
    from services.api.settings import ApiSettings

    def run(settings: Any) -> None:
        from services.api.app import run

        run(settings)

    _service("api", ApiSettings, run, host, port)


def _service(
    name: str, settings: Any, run: Callable[[Any], None], host: str | None, port: int | None
) -> None:
    from services.settings import SettingsError
    from services.store.interface import StoreError

    with clear_errors(tracing.TracingError):
        chosen = settings.read(**given(host=host, port=port))
        tracing.begin(name)
    log_setup.to_stderr(chosen.log_level, name, chosen.log_format)
    try:
        run(chosen)
    except (SettingsError, StoreError) as error:
        logging.getLogger(__name__).critical("%s cannot run: %s", name, error)
        raise typer.Exit(UNUSABLE) from None


def given(**values: object) -> dict[str, Any]:
    """Return the options that were given, which override the environment."""
    return {name: value for name, value in values.items() if value is not None}
