"""The command `luot snippet`: what a portal puts into its pages."""

from typing import Annotated, Any

import typer

from services.cli.answer import decoded
from services.cli.connection import TIMEOUT_SECONDS, Data, reason
from services.cli.language import said
from services.cli.terminal import Json, fail

app = typer.Typer()


@app.command()
def snippet(
    site: Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")],
    url: Annotated[
        str | None,
        typer.Option(
            help="Address at which browsers reach Luot; if not given, LUOT_PUBLIC_URL of the API,"
            " or LUOT_URL."
        ),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print the lines to paste into the pages of a site, each with a note on where it goes.

    First the script and the block, then the ways without a script, then variants, and finally what
    a Content-Security-Policy needs. Asks the running Luot (LUOT_URL, or --data) for the site, the
    size of its badge and the hash of its script.
    """
    from urllib.parse import quote

    import httpx
    import msgspec

    from services.cli.settings import ClientSettings
    from services.settings import SettingsError
    from services.widget.heights import drawn
    from services.widget.snippet import PinnedScript, Snippet

    try:
        server = ClientSettings.of(data).url.rstrip("/")
    except SettingsError as error:
        fail(str(error))
    with httpx.Client(base_url=server, timeout=TIMEOUT_SECONDS) as client:
        scripts = decoded(_get(client, server, "/api/script"), server)
        numbers = decoded(_get(client, server, f"/api/counter/{quote(site, safe='')}"), server)
        badge = _get(client, server, f"/counter/{quote(site, safe='')}.svg").text
    script = scripts.part("scripts").part("counter.js")
    try:
        made = Snippet(
            url or scripts["url"] or server,
            site,
            PinnedScript(scripts["version"], script["path"], script["integrity"]),
            numbers.get("display"),
            drawn(badge),
        )
    except (msgspec.ValidationError, ValueError) as error:
        fail(f"{server} runs Luot {scripts['version']}, whose answer cannot be read: {error}")
    typer.echo(made.json() if as_json else made.text(said))


def _get(client: Any, server: str, path: str) -> Any:
    import httpx

    try:
        answer = client.get(path)
    except httpx.HTTPError as error:
        fail(f"{server} cannot be reached: {error}; is Luot running there? (LUOT_URL)")
    if not answer.is_success:
        fail(f"{server} answers {answer.status_code}: {reason(answer)}")
    return answer
