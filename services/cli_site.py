"""The commands `luot site …`: sites of a running Luot, through its admin API."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

app = typer.Typer(
    help="Sites: add, list, edit, remove. Talks to the running API (LUOT_URL and LUOT_TOKEN,"
    " or --data).",
    no_args_is_help=True,
)

UNUSABLE = 2
TIMEOUT_SECONDS = 30.0

Data = Annotated[
    Path | None,
    typer.Option(help="Data folder of `luot up`, where address and token are found."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Slug = Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")]
Name = Annotated[str | None, typer.Option(help="Name shown to people.")]
Timezone = Annotated[
    str | None, typer.Option(help="IANA name; days turn at its midnight. Asia/Ho_Chi_Minh.")
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host", help="Host name it may be counted from; *.x for all below x, * for any. Repeat."
    ),
]
Metric = Annotated[str | None, typer.Option(help="What it shows: views, visits or visitors.")]
Significant = Annotated[
    list[str] | None,
    typer.Option("--significant", help="Query parameter that names a page (tabid, nv). Repeat."),
]
HonourDnt = Annotated[
    bool | None,
    typer.Option("--honour-dnt/--ignore-dnt", help="No visitor hash for DNT and GPC browsers."),
]
PublicTop = Annotated[
    bool | None,
    typer.Option("--public-top/--private-top", help="Whether anyone may see its top pages."),
]


@app.command()
def add(
    slug: Slug,
    name: Name = None,
    timezone: Timezone = None,
    hosts: Hosts = None,
    metric: Metric = None,
    significant: Significant = None,
    honour_dnt: HonourDnt = None,
    public_top: PublicTop = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add a site."""
    fields = _fields(name, timezone, hosts, metric, significant, honour_dnt, public_top)
    with _admin(data) as admin:
        _show([admin.call("POST", "/sites", {"slug": slug, **fields})], as_json)


@app.command("list")
def list_sites(data: Data = None, as_json: Json = False) -> None:
    """List the sites."""
    with _admin(data) as admin:
        _show(admin.call("GET", "/sites")["sites"], as_json, many=True)


@app.command()
def edit(
    slug: Slug,
    name: Name = None,
    timezone: Timezone = None,
    hosts: Hosts = None,
    metric: Metric = None,
    significant: Significant = None,
    honour_dnt: HonourDnt = None,
    public_top: PublicTop = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change the settings of a site that are given, and no other."""
    fields = _fields(name, timezone, hosts, metric, significant, honour_dnt, public_top)
    if not fields:
        _fail(f"nothing to change on {slug}: give at least one option, see luot site edit --help")
    with _admin(data) as admin:
        _show([admin.call("PATCH", f"/sites/{slug}", fields)], as_json)


@app.command()
def remove(
    slug: Slug,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Remove a site: it is no longer counted or shown. Its counts stay in the store."""
    if not yes:
        if not sys.stdin.isatty():
            _fail(f"nobody is there to be asked whether {slug} goes; give --yes")
        typer.confirm(f"Remove the site {slug}?", abort=True)
    with _admin(data) as admin:
        admin.call("DELETE", f"/sites/{slug}")
    typer.echo(f"removed {slug}")


def _fields(
    name: str | None,
    timezone: str | None,
    hosts: list[str] | None,
    metric: str | None,
    significant: list[str] | None,
    honour_dnt: bool | None,
    public_top: bool | None,
) -> dict[str, Any]:
    given = {
        "name": name,
        "timezone": timezone,
        # Typer gives an empty list for an option that was not used.
        "hosts": hosts or None,
        "metric": metric,
        "significant": significant or None,
        "honour_dnt": honour_dnt,
        "public_top": public_top,
    }
    return {field: value for field, value in given.items() if value is not None}


class _Admin:
    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        import httpx

        try:
            answer = self._client.request(method, f"/api/admin{path}", json=body)
        except httpx.HTTPError as error:
            _fail(f"{self._url} cannot be reached: {error}; is Luot running there? (LUOT_URL)")
        if not answer.is_success:
            _fail(f"{self._url} answers {answer.status_code}: {_reason(answer)}")
        return answer.json() if answer.content else None


@contextmanager
def _admin(data: Path | None) -> Iterator[_Admin]:
    import httpx

    from services.client_settings import ClientSettings
    from services.settings import SettingsError

    try:
        settings = ClientSettings.of(data)
        if settings.token is None:
            raise SettingsError(
                "LUOT_TOKEN is not set; expected the admin token, or --data with the folder of"
                " `luot up`"
            )
    except SettingsError as error:
        _fail(str(error))
    url = settings.url.rstrip("/")
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS) as client:
        yield _Admin(client, url)


def _reason(answer: Any) -> str:
    try:
        errors = answer.json()["errors"]
        return "; ".join(f"{field}: {text}" for field, text in errors.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(answer.reason_phrase)


def _fail(message: str) -> NoReturn:
    typer.secho(f"luot: {message}", err=True, fg="red")
    raise typer.Exit(UNUSABLE)


def _show(sites: list[dict[str, Any]], as_json: bool, many: bool = False) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(sites if many else sites[0], ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("site", "name", "hosts", "time zone", "shows", "significant")
    for site in sites:
        table.add_row(
            site["slug"],
            site["name"],
            ", ".join(site["hosts"]) or "(none)",
            site["timezone"],
            site["metric"],
            ", ".join(site["significant"]),
        )
    Console().print(table)
