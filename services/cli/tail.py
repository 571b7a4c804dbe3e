"""The command `luot tail`: decoded hits as they arrive."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.answer import not_luot
from services.cli.connection import Admin, Data, connected, reason
from services.cli.terminal import fail
from services.runtime import reasons

app = typer.Typer()

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGE = re.compile(r"(\d{1,6})([smhd])")
_APART = {"downloads": "file", "not_found": "404", "searches": "find", "outbound_links": "link"}
_DATA = "data: "
_ID = "id: "
_EVENTS = "text/event-stream"
READ_SECONDS = 15.0
"""The API sends something every second; after this long without anything, it is gone."""


@app.command()
def tail(
    site: Annotated[
        str | None, typer.Option(help="Only hits of this site. [default: of all your sites]")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Start this long ago: 30s, 10m, 2h, 1d. [default: now]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per hit.")] = False,
    data: Data = None,
) -> None:
    """Show hits as they arrive, until Ctrl-C: when, where, and by whom as far as that is known.

    Times are in the site's time zone. Bots are shown too, and marked. Addresses and User-Agents are
    not shown, because they are not kept. Whether a hit starts a visit is decided later, so only
    imported hits say it. Talks to the running API (LUOT_URL and LUOT_TOKEN, or --data).
    """
    seconds = _seconds(since)
    colour = sys.stdout.isatty() and not as_json
    try:
        for text in _events(data, site, seconds):
            sys.stdout.write((text if as_json else _line(text, colour)) + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # Otherwise Python would report the broken pipe again when it flushes at exit.
        sys.stdout = None


def _seconds(since: str | None) -> float:
    if since is None:
        return 0.0
    age = _AGE.fullmatch(since)
    if age is None:
        fail(f"--since {since!r} is not an age; expected for example 30s, 10m, 2h or 1d")
    return float(int(age[1]) * _UNITS[age[2]])


def _events(data: Path | None, site: str | None, seconds: float) -> Iterator[str]:
    """Yield the JSON of each hit; when a response ends, the next one resumes."""
    reached = ""
    with connected(data) as admin:
        while True:
            for line in _answer(admin, site, seconds, reached):
                if line.startswith(_ID):
                    reached = line.removeprefix(_ID)
                elif line.startswith(_DATA):
                    yield line.removeprefix(_DATA)
            if not reached:
                seconds = 0.0


def _answer(admin: Admin, site: str | None, seconds: float, reached: str) -> Iterator[str]:
    import httpx

    query: dict[str, Any] = {"since": seconds} if site is None else {"since": seconds, "site": site}
    headers = {"Last-Event-ID": reached} if reached else {}
    timeout = httpx.Timeout(READ_SECONDS)
    try:
        with admin.stream("/tail", params=query, headers=headers, timeout=timeout) as answer:
            if not answer.is_success:
                answer.read()
                fail(f"{admin.url} answers {answer.status_code}: {reason(answer)}")
            if not answer.headers.get("content-type", "").startswith(_EVENTS):
                not_luot(answer, admin.url)
            yield from answer.iter_lines()
    except httpx.HTTPError as error:
        fail(f"connection to {admin.url} lost: {reasons.reason(error)}")


def _line(text: str, colour: bool) -> str:
    import json

    hit: dict[str, Any] = json.loads(text)
    kind = {None: "view", True: "visit", False: "view"}[hit["visit"]]
    if apart := hit["apart"]:
        kind = _APART.get(apart, apart)
    if hit["bot"]:
        kind = "bot"
    who = " ".join(
        _printable(hit[name]) or "-" for name in ("device", "browser", "os", "country", "source")
    )
    # Date and time in the site's time zone, without the offset.
    time = hit["time"][:23].replace("T", " ")
    path = _printable(f"{hit['path']} {hit.get('own_path', '')}".rstrip())
    if not colour:
        return f"{time} {hit['site']} {kind:5} {path} {who}"
    kinds = {"bot": "bright_black", "view": "green", "visit": "bright_green"}
    return " ".join(
        (
            typer.style(time, dim=True),
            typer.style(hit["site"], fg="cyan"),
            typer.style(f"{kind:5}", fg=kinds.get(kind, "magenta")),
            path,
            typer.style(who, dim=True),
        )
    )


def _printable(text: str) -> str:
    """Return untrusted text without characters that a terminal would interpret."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
