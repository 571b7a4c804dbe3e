"""The command `luot`."""

import typer

app = typer.Typer(name="luot", no_args_is_help=True)


def main() -> None:
    """Run the command line."""
    app()
