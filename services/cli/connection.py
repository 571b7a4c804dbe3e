"""How commands talk to the administration of a running Luot."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

UNUSABLE = 2
"""Exit code when something given to us cannot be used: an option, a setting, a file, a port."""
TIMEOUT_SECONDS = 30.0

Data = Annotated[
    Path | None,
    typer.Option(help="Data folder of `luot up`, where address and token are found."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Admin:
    """A client of /api/admin; whatever goes wrong ends the command with one message."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self.url = url

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send one request and return what it answers, None when that is nothing."""
        import httpx

        try:
            answer = self._client.request(method, f"/api/admin{path}", json=body, params=query)
        except httpx.HTTPError as error:
            fail(f"{self.url} cannot be reached: {error}; is Luot running there? (LUOT_URL)")
        if not answer.is_success:
            fail(f"{self.url} answers {answer.status_code}: {reason(answer)}")
        return answer.json() if answer.content else None

    def send(self, method: str, path: str, **more: Any) -> Any:
        """Send one request and return the answer as it is. Raises httpx.HTTPError."""
        return self._client.request(method, f"/api/admin{path}", **more)

    def stream(self, path: str, **more: Any) -> Any:
        """Open an answer that comes bit by bit; use it as a context. Raises httpx.HTTPError."""
        return self._client.stream("GET", f"/api/admin{path}", **more)


@contextmanager
def connected(data: Path | None) -> Iterator[Admin]:
    """Give the administration that a data folder names, or else the settings."""
    import httpx

    from services.cli.settings import ClientSettings
    from services.settings import SettingsError

    try:
        settings = ClientSettings.of(data)
        if settings.token is None:
            raise SettingsError(
                "LUOT_TOKEN is not set; expected a token, or --data with the folder of `luot up`"
            )
    except SettingsError as error:
        fail(str(error))
    url = settings.url.rstrip("/")
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS) as client:
        yield Admin(client, url)


def fail(message: str) -> NoReturn:
    """End the command: something given to it cannot be used."""
    typer.secho(f"luot: {message}", err=True, fg="red")
    raise typer.Exit(UNUSABLE)


def confirm_removal(kind: str, name: str) -> None:
    """Ask whether something is to be removed, and end the command if it is not."""
    if not sys.stdin.isatty():
        fail(f"nobody is there to be asked whether {name} goes; give --yes")
    typer.confirm(f"Remove the {kind} {name}?", abort=True)


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text under their heads; nothing in them is markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*heads)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def when(ms: int | None, otherwise: str = "") -> str:
    """Return a time in ms since 1970 for people."""
    from datetime import UTC, datetime

    if ms is None:
        return otherwise
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def reason(answer: Any) -> str:
    """Return what an answer of the API says went wrong."""
    try:
        errors = answer.json()["errors"]
        return "; ".join(f"{field}: {' '.join(texts)}" for field, texts in errors.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(answer.reason_phrase)
