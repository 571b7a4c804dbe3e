"""The command `luot country`: checks and installs a country database."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.terminal import clear_errors, fail, say

app = typer.Typer()


@app.command()
def country(
    file: Annotated[Path, typer.Argument(help="MMDB file with countries.")],
    into: Annotated[
        Path | None,
        typer.Option(help="Path where ingest reads it. [default: LUOT_COUNTRY_DATABASE]"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Data folder of `luot up`, in which it reads the file."),
    ] = None,
) -> None:
    """Check a country database, and install it where ingest and the API read it.

    Nothing is downloaded: you provide the file. It replaces the one in use as a whole or not at
    all. Ingest reads the new one within seconds, without a restart, and hits from then on get its
    countries, and its provinces if it has any, as city databases do. Anything finer than a province
    is not read.
    """
    from services.cli.settings import ImportSettings
    from services.embedded import data_folder
    from services.enrich import country_file

    with clear_errors(country_file.CountryFileError):
        target = into or ImportSettings.read().country_database
        if data is not None and not data.is_dir():
            fail(f"--data {data} is not a folder; expected the data folder of `luot up`")
        if data is not None and into is None:
            target = data / data_folder.PLACES
        if target is None:
            fail(
                "LUOT_COUNTRY_DATABASE is not set; set it, for ingest too, or give --into, or"
                " --data with the data folder of `luot up`"
            )
        installed = country_file.install(file, target)
    say(f"{target}: installed {installed.kind} of {installed.day}")
    if installed.regions:
        say("it also has provinces, so each country can be broken down into them")
    else:
        say("it has no provinces; city databases have them")
