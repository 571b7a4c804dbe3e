"""The commands `luot replay` and `luot simulate`: progress while they run, then a summary."""

import asyncio
from collections.abc import Iterable, Iterator

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from services.access_log.parser import AccessLog
from services.cli.language import grouped, said
from services.standalone import demo
from services.traffic.replay import page_views
from services.traffic.sender import PageView, Sender, Summary
from services.traffic.simulate import visitors


def replay(
    file: str,
    *,
    site: str,
    url: str,
    speed: float,
    host: str,
    limit: int | None,
    connections: int,
    as_json: bool,
) -> bool:
    """Send the pages in an access log; return whether any failed.

    Raises AccessLogError and UrlError.
    """
    sender = Sender(url, site, connections=connections)
    with AccessLog(file) as log, _progress(as_json) as progress:
        task = progress.add_task("", total=log.size)

        def views() -> Iterator[PageView]:
            for view in page_views(log, host=host, speed=speed, limit=limit):
                progress.update(task, completed=log.bytes_read, description=_rate(sender.summary))
                yield view

        summary = asyncio.run(sender.send(views()))
        progress.update(task, completed=log.bytes_read, description=_rate(summary))
    _show(summary, as_json, {"lines": log.lines, "broken lines": log.broken})
    return bool(summary.failed)


def simulate(
    *,
    site: str,
    url: str,
    count: int,
    seconds: float,
    host: str,
    seed: int | None,
    connections: int,
    as_json: bool,
) -> bool:
    """Send simulated visitors; return whether any of their pages failed. Raises UrlError."""
    sender = Sender(url, site, connections=connections)
    made_up = visitors(count, seconds, demo.paths(site), host=host, seed=seed)
    with _progress(as_json) as progress:
        task = progress.add_task("", total=len(made_up))

        def views(all_views: Iterable[PageView]) -> Iterator[PageView]:
            for view in all_views:
                progress.update(task, advance=1, description=_rate(sender.summary))
                yield view

        summary = asyncio.run(sender.send(views(made_up)))
        progress.update(task, description=_rate(summary))
    _show(summary, as_json, {"visitors": count, "pages": len(made_up)})
    return bool(summary.failed)


def _progress(as_json: bool) -> Progress:
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=as_json,
    )


def _rate(summary: Summary) -> str:
    failed = f", [red]{summary.failed} failed[/red]" if summary.failed else ""
    return f"{summary.sent} sent, {summary.per_second:.0f}/s{failed}"


def _show(summary: Summary, as_json: bool, source: dict[str, int]) -> None:
    if as_json:
        numbers = {name.replace(" ", "_"): value for name, value in source.items()}
        figures = {
            "sent": summary.sent,
            "accepted": summary.accepted,
            "dropped": dict(summary.dropped),
            "failed": summary.failed,
            "failures": dict(summary.failures),
            "repeated": summary.repeated,
            "seconds": round(summary.seconds, 3),
            "per_second": round(summary.per_second, 1),
        }
        print(msgspec.json.encode(numbers | figures).decode())  # noqa: T201  # it is the result
        return
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows: list[tuple[str, int | str]] = [
        *source.items(),
        ("pages sent", summary.sent),
        ("accepted", summary.accepted),
        *((f"dropped: {reason}", number) for reason, number in summary.dropped.most_common()),
        *((f"failed: {reason}", number) for reason, number in summary.failures.most_common()),
    ]
    if summary.repeated:
        rows.append(("sent again, may count twice", summary.repeated))
    rows += [("seconds", f"{summary.seconds:.1f}"), ("hits/s", f"{summary.per_second:.0f}")]
    for name, value in rows:
        table.add_row(said(name), grouped(value) if isinstance(value, int) else value)
    Console().print(table)
