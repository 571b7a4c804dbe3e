"""The options shared by `luot replay` and `luot simulate`."""

from typing import Annotated

import typer

SiteOption = Annotated[str, typer.Option(help="Short name of the site that the hits are for.")]
Url = Annotated[
    str | None,
    typer.Option(help="Address of ingest. [default: LUOT_URL, or http://127.0.0.1:8000]"),
]
Connections = Annotated[int, typer.Option(min=1, max=1000, help="Number of concurrent requests.")]
PageHost = Annotated[
    str | None, typer.Option(help="Host name of the pages. [default: SITE.example]")
]
SummaryJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def ingest_url(url: str | None) -> str:
    """Return the address to send hits to: the option, or else LUOT_URL. Raises SettingsError."""
    from services.cli.settings import ClientSettings

    return url or ClientSettings.read().url
