"""The command `luot up`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.language import said
from services.cli.services import Host, Port, given
from services.cli.terminal import clear_errors

app = typer.Typer()


@app.command()
def up(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder for all persistent data. [default: ./data]"),
    ] = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Run everything in one process, with embedded stores and demo portals at /demo.

    Ctrl-C stops it; all data is kept for the next start.
    """
    from services.embedded.errors import UpError
    from services.standalone.settings import UpSettings
    from services.store.interface import StoreError

    with clear_errors(UpError, StoreError):
        settings = UpSettings.read(**given(data=data, host=host, port=port))
        try:
            from services.standalone.app import run
        except ImportError as error:
            raise UpError(
                f"{error.name} is missing: install Luot with its extra 'standalone'"
            ) from None
        run(settings, _say)


def _say(line: str) -> None:
    typer.echo(said(line))
    sys.stdout.flush()
