"""The options that `luot replay` and `luot simulate` share."""

from typing import Annotated

import typer

SiteOption = Annotated[str, typer.Option(help="Slug of the site that is counted.")]
Url = Annotated[
    str | None,
    typer.Option(help="Where ingest is. [default: LUOT_URL, or http://127.0.0.1:8000]"),
]
Connections = Annotated[int, typer.Option(min=1, max=1000, help="Requests under way at once.")]
PageHost = Annotated[
    str | None, typer.Option(help="Host name of the pages. [default: SITE.example]")
]
SummaryJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def ingest_url(url: str | None) -> str:
    """Return where hits go: the option, or else LUOT_URL. Raises SettingsError."""
    from services.cli.settings import ClientSettings

    return url or ClientSettings.read().url
