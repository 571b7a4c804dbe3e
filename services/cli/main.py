"""The command `luot`, assembled from one module per command."""

from typing import Annotated

import typer
from typer.main import get_command

from services import __version__
from services.cli import (
    audit,
    backup,
    balance,
    convert,
    correct,
    country,
    doctor,
    export,
    group,
    import_logs,
    imports,
    log,
    migrate,
    probe,
    repair,
    replay,
    restore,
    rewind,
    services,
    simulate,
    site,
    snippet,
    tail,
    titles,
    token,
    up,
    user,
    verify,
)
from services.cli.spoken_help import SpokenGroup, in_language
from services.runtime import gc_tuning

# Heavy imports (the embedded engine, Faust, FastAPI) are left to the commands that need them.

app = typer.Typer(
    name="luot",
    cls=SpokenGroup,
    help="Counts visits to web portals, exactly once, and shows the count on the page.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (up, services, probe, migrate, replay, simulate):
    app.add_typer(module.app)
app.add_typer(site.app, name="site")
app.add_typer(group.app, name="group")
app.add_typer(titles.app, name="titles")
app.add_typer(user.app, name="user")
app.add_typer(token.app, name="token")
app.add_typer(balance.app, name="balance")
app.add_typer(correct.app, name="correct")
app.add_typer(repair.app, name="repair")
app.add_typer(imports.app, name="imports")
app.add_typer(export.app, name="export")
app.add_typer(log.app, name="log")
for module in (audit, snippet, backup, verify, restore, rewind, doctor, import_logs, convert, tail):
    app.add_typer(module.app)
app.add_typer(country.app)


def main() -> None:
    """Run the command line."""
    gc_tuning.begin()
    in_language(get_command(app))()


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"luot {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Handle the options before a command."""


if __name__ == "__main__":
    main()
