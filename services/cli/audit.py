"""The command `luot audit`: who changed what, when."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.connection import Data, connected
from services.cli.language import said, spoken
from services.cli.terminal import Json, show_json, table, when
from services.model.display import Lang

if TYPE_CHECKING:
    from services.api.dashboard.texts.language import Language

app = typer.Typer()

_PAGE = 500


@app.command()
def audit(
    site: Annotated[str | None, typer.Option(help="Only changes to this site.")] = None,
    who: Annotated[str | None, typer.Option(help="Only changes by this name.")] = None,
    action: Annotated[
        str | None,
        typer.Option(help="Only this action: site.edit, sign_in, sign_in.refused, backup, …"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of changes.")] = 50,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List who changed what, newest first, with the values before and after."""
    entries: list[dict[str, Any]] = []
    before = None
    with connected(data) as admin:
        while True:
            filters = {"site": site, "who": who, "action": action, "before": before}
            query: dict[str, Any] = {
                name: value for name, value in filters.items() if value is not None
            }
            query["limit"] = min(_PAGE, limit - len(entries))
            answer = admin.call("GET", "/audit", query=query)
            entries += answer.rows("entries")
            before = answer["next"]
            if before is None or len(entries) >= limit:
                break
    if as_json:
        show_json(entries)
        return
    table(
        ("when", "who", "what", "on", "before", "after"),
        (
            (
                when(entry["at"]),
                entry["who"],
                _action(entry["action"]) + (f" {said('(failed)')}" if entry["failed"] else ""),
                entry["subject"],
                _fields(entry["before"]),
                _fields(entry["after"]),
            )
            for entry in entries
        ),
    )


def _action(name: str) -> str:
    words = _words()
    return name if words is None else words.known(f"action.{name}", name)


def _fields(fields: dict[str, Any] | None) -> str:
    if fields is None:
        return ""
    words = _words()
    if words is None:
        return "\n".join(f"{name}: {_plain(value)}" for name, value in fields.items())
    return "\n".join(
        f"{words.known(f'field.{name}', name)}: {words.value(name, value)}"
        for name, value in fields.items()
    )


def _plain(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _words() -> "Language | None":
    """Return the words of the dashboard; None in English, which uses the API's names."""
    if spoken() is Lang.EN:
        return None
    from services.api.dashboard.texts.language import Language

    return Language(Lang.VI)
