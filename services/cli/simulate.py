"""The command `luot simulate`: simulated visitors, as real hits."""

from typing import Annotated

import typer

from services.cli.terminal import clear_errors
from services.cli.traffic_options import (
    Connections,
    PageHost,
    SiteOption,
    SummaryJson,
    Url,
    ingest_url,
)

app = typer.Typer()


@app.command()
def simulate(
    site: SiteOption = "demo",
    url: Url = None,
    visitors: Annotated[int, typer.Option(min=1, help="Number of visitors.")] = 100,
    seconds: Annotated[
        float,
        typer.Option(
            min=0, help="Time over which they arrive, in seconds; 0 for as fast as possible."
        ),
    ] = 60.0,
    host: PageHost = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same visitors.")] = None,
    connections: Connections = 64,
    as_json: SummaryJson = False,
) -> None:
    """Send simulated visitors to the pages of a demo portal as real HTTP hits.

    They use phones and desktops, arrive from search engines and elsewhere, and read a few pages;
    some are bots. Exit code 1: some hits failed.
    """
    from services.cli.traffic_progress import simulate as run
    from services.traffic.client import UrlError
    from services.traffic.sender import UnreachableError

    with clear_errors(UrlError, UnreachableError):
        failed = run(
            site=site,
            url=ingest_url(url),
            count=visitors,
            seconds=seconds,
            host=host or f"{site}.example",
            seed=seed,
            connections=connections,
            as_json=as_json,
        )
    raise typer.Exit(int(failed))
