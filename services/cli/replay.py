"""The command `luot replay`: the pages of an access log as real hits."""

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
def replay(
    file: Annotated[
        str, typer.Argument(help="Access log, plain or compressed; - for standard input.")
    ],
    site: SiteOption,
    url: Url = None,
    speed: Annotated[
        float,
        typer.Option(min=0, help="Multiple of the log's own pace; 0 for as fast as possible."),
    ] = 0.0,
    host: PageHost = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Send at most this many pages.")] = None,
    connections: Connections = 64,
    as_json: SummaryJson = False,
) -> None:
    """Send the pages in an access log, in any format that `luot import` reads, as HTTP hits.

    For trials and load tests: each hit is counted at the time it arrives, not at the time in the
    log. Each visitor's address in the log is sent as X-Forwarded-For, which ingest accepts from its
    trusted proxies only. Ingest decides what is a bot, and applies its limits. Exit code 1: some
    hits failed.
    """
    from services.access_log.parser import AccessLogError
    from services.cli.traffic_progress import replay as run
    from services.traffic.client import UrlError
    from services.traffic.sender import UnreachableError

    with clear_errors(AccessLogError, UrlError, UnreachableError):
        failed = run(
            file,
            site=site,
            url=ingest_url(url),
            speed=speed,
            host=host or f"{site}.example",
            limit=limit,
            connections=connections,
            as_json=as_json,
        )
    raise typer.Exit(int(failed))
