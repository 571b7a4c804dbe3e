"""The summary that `luot import` prints at the end."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from services.access_log.upload import FileResult
from services.cli.language import grouped, said
from services.cli.terminal import say, show_json


def show(results: Sequence[FileResult], slug: str, dry_run: bool, as_json: bool) -> None:
    """Print what became of each file, and the lines that could not be read."""
    if as_json:
        files = [msgspec.to_builtins(result) for result in results]
        show_json({"site": slug, "dry_run": dry_run, "files": files})
        return
    if results:
        Console().print(_table(results, dry_run))
    for result in results:
        for number, text in result.broken:
            say(f"{result.file}, line {number} cannot be read: {text!r}", err=True)


def _table(results: Sequence[FileResult], dry_run: bool) -> Table:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    states = {"new": "imported", "resumed": "imported, resumed", "done": "already imported"}
    for result in results:
        state = "would be imported" if dry_run and result.begun != "done" else states[result.begun]
        table.add_row(result.file, said(state), style="bold")
        if result.begun == "done" and not result.lines:
            continue
        table.add_row(f"  {said('format')}", result.format)
        table.add_row("  " + said("reader's address taken from"), said(result.address))
        counts = f"{grouped(result.addresses)}, {grouped(result.days)}"
        table.add_row(f"  {said('addresses, days')}", counts)
        if result.hosts:
            table.add_row(f"  {said('hosts')}", _hosts(result.hosts))
        rows = {
            "lines": result.lines,
            "pages seen by people": result.pages,
            "visits": result.visits,
        }
        if result.downloads:
            rows["downloads"] = result.downloads
        if result.sent != result.pages + result.downloads and not dry_run:
            rows["sent now"] = result.sent
        for name, value in rows.items():
            table.add_row(f"  {said(name)}", grouped(value))
        for name, value in result.left_out.most_common():
            table.add_row(f"  {said(f'left out: {name}')}", grouped(value), style="dim")
        if result.unsorted:
            late = said("out of order, so visits may be split in two")
            table.add_row(f"  {late}", grouped(result.unsorted))
        table.add_section()
    return table


def _hosts(hosts: dict[str, int], most: int = 3) -> str:
    shown = list(hosts.items())[:most]
    named = [f"{host or said('none')} ({grouped(lines)})" for host, lines in shown]
    more = said(f"and {len(hosts) - most} more") if len(hosts) > most else ""
    return f"{', '.join(named)} {more}".rstrip()
