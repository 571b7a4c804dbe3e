"""The command `luot balance import`: the numbers in a file, as one entry in the ledger."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.answer import decoded
from services.cli.connection import Admin, Data, at, connected, errors_of, reason
from services.cli.terminal import Json, fail, say

SECONDS = 300.0
"""How long a file with the maximum number of lines can take on a slow machine."""


def import_balances(
    site: Annotated[str, typer.Argument(help="Short name of the site, for example mytho.")],
    file: Annotated[Path, typer.Argument(help="CSV file or Excel workbook (XLSX).")],
    why: Annotated[str, typer.Option("--reason", help="Reason: where the numbers come from.")],
    name: Annotated[
        str | None,
        typer.Option(
            "--id",
            help="ID of the entry; entered twice, it counts once. [default: derived from the"
            " file's content]",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check everything, but enter nothing.")
    ] = False,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Skip lines that are refused.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Enter the numbers in a file as one entry: views of pages, or counts by day, month or year.

    The first line names the columns: path (or a full URL) and views, or day or period (total, 2019,
    2020-01) with visits, views or both; in Vietnamese: đường dẫn, ngày, kỳ, lượt truy cập, lượt
    xem. Other columns are ignored and reported. All lines are entered, or none.

    Entering the same file twice counts once. `luot balance reverse` reverses all of it; after that,
    the same file can be entered again.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    with connected(data, SECONDS) as admin:
        query = {
            "id": name or _default_id(admin, site, content),
            "reason": why,
            "dry_run": dry_run,
            "skip_refused": skip_refused,
        }
        answer = _sent(admin, at("sites", site, "balances", "bulk"), content, query)
    if as_json:
        import json

        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        _show(answer)
    if answer["refused"] and not skip_refused:
        raise typer.Exit(2)
    if answer["reversed"]:
        fail(f"{answer['id']} was reversed; enter it again under another --id")


def _default_id(admin: Admin, site: str, content: bytes) -> str:
    """Return the ID of a file: a new one each time that it has been reversed."""
    from hashlib import blake2b

    name = of_content = f"file:{blake2b(content, digest_size=8).hexdigest()}"
    number = 1
    while (bulk := find_bulk(admin, site, name)) is not None and bulk["reversed"]:
        number += 1
        name = f"{of_content}:{number}"
    return name


def find_bulk(admin: Admin, site: str, name: str) -> Any:
    """Return a bulk entry, or None if there is none of that ID."""
    import httpx

    try:
        answer = admin.send("GET", at("sites", site, "balances", "bulk", name))
    except httpx.HTTPError as error:
        fail(f"{admin.url} cannot be reached: {error}; is Luot running there? (LUOT_URL)")
    if answer.status_code == httpx.codes.NOT_FOUND and "id" in errors_of(answer):
        return None
    if not answer.is_success:
        fail(f"{admin.url} answers {answer.status_code}: {reason(answer)}")
    return decoded(answer, admin.url)


def _sent(admin: Admin, path: str, content: bytes, query: dict[str, Any]) -> Any:
    import httpx

    headers = {"Content-Type": "application/octet-stream"}
    try:
        answer = admin.send("POST", path, content=content, params=query, headers=headers)
    except httpx.HTTPError as error:
        fail(f"{admin.url} cannot be reached: {error}; it is safe to run the same command again")
    if not answer.is_success:
        fail(f"{admin.url} answers {answer.status_code}: {reason(answer)}")
    return decoded(answer, admin.url)


def _show(answer: dict[str, Any]) -> None:
    days = f", {answer['first']} to {answer['last']}" if answer["first"] else ""
    say(
        f"{answer['format']}: {answer['lines_read']} lines;"
        f" {answer['lines']} entries with {answer['visits']} visits, {answer['views']} views{days}"
    )
    if answer["joined"]:
        say(f"{answer['joined']} lines add to a page that another line also names")
    if answer["empty"]:
        say(f"{answer['empty']} lines have no count above 0")
    if answer["ignored"]:
        say(f"columns not used: {', '.join(answer['ignored'])}")
    for one in answer["refused_lines"]:
        say(f"line {one['line']} is refused: {one['why']}")
    if answer["refused"] > len(answer["refused_lines"]):
        say(f"{answer['refused']} lines are refused in total")
    if answer["reversed"]:
        return
    if not answer["added"]:
        say(f"{answer['id']} was already entered; nothing changed")
    elif answer["dry_run"]:
        say("dry run: nothing was entered")
    else:
        say(f"entered as {answer['id']}")
