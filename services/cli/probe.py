"""The command `luot probe`."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.services import Host, Port, given
from services.cli.terminal import clear_errors, note, say

if TYPE_CHECKING:
    from services.probe.probe import Probe

app = typer.Typer()


@app.command()
def probe(
    url: Annotated[
        str | None, typer.Option(help="Public address of Luot, as browsers reach it (LUOT_URL).")
    ] = None,
    site: Annotated[str, typer.Option(help="Site used by the probe alone.")] = "do-luot",
    every: Annotated[float, typer.Option(min=1, help="Seconds between hits.")] = 60.0,
    within: Annotated[
        float,
        typer.Option(
            min=0.5, help="Seconds after which a hit that the number does not show yet is late."
        ),
    ] = 30.0,
    once: Annotated[
        bool, typer.Option("--once", help="Send one hit, say whether it was shown, and exit.")
    ] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Send a hit every minute, as a browser does, and time how soon the public number shows it.

    Serves /metrics and /healthz on port 8004. It needs a site of its own, so that its views do not
    add to any portal's numbers; for --url https://thongke.example.vn, create it once with

        luot site add do-luot --host thongke.example.vn

    Exit code 1, with --once: the hit was not shown in time.
    """
    from services.cli.settings import ProbeSettings
    from services.runtime import log_setup

    with clear_errors():
        settings = ProbeSettings.read(**given(url=url, host=host, port=port))
        from services.probe.probe import Probe

        prober = Probe(settings.url, site, within)
        if once:
            _once(prober)
            return
        log_setup.to_stderr(settings.log_level, "probe", settings.log_format)
        from services.probe.serve import run

        run(
            prober,
            every,
            host=settings.host,
            port=settings.listen_port,
            log_level=settings.log_level,
        )


def _once(prober: "Probe") -> None:
    from services.probe.outcome import Outcome

    result = asyncio.run(prober.once())
    if result.outcome is Outcome.OK:
        say(result.said)
        return
    note(f"{result.outcome}: {result.said}", fg="red")
    raise typer.Exit(1)
