"""`luot site remove --erase`: what goes is said first; then it goes, whatever is restarted."""

import time
from typing import Any

import typer

from services.cli.connection import Admin, reason
from services.cli.terminal import confirm, fail

WAIT_SECONDS = 120.0
"""How long the command waits until all of it is gone; the same command again waits again."""
_AWAY = {429, 502, 503, 504}
_PAUSE = 0.5


def erase(admin: Admin, slug: str, yes: bool) -> None:
    """Erase a site, or what is left of one that was removed, and wait until it is gone."""
    kept = admin.call("GET", f"/sites/{slug}/erase")
    typer.echo(f"{slug} is erased for good, with {_described(kept)}, and its settings.", err=True)
    typer.echo("It leaves its users, and tokens for it alone are revoked.", err=True)
    if not yes:
        confirm(f"Erase {slug}?")
    _wait(admin, slug)
    typer.echo(f"erased {slug}")


def _described(kept: dict[str, Any]) -> str:
    counts = (
        ("views", "views"),
        ("visits", "visits"),
        ("downloads", "downloads"),
        ("hits", "raw hits"),
        ("balances", "opening balances"),
        ("corrections", "corrections"),
        ("imports", "imports"),
    )
    return ", ".join(f"{kept[field]:,} {name}" for field, name in counts)


def _wait(admin: Admin, slug: str) -> None:
    """Ask for it until it is done; a Luot that restarts is waited for."""
    import httpx

    ends = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            answer = admin.send("POST", f"/sites/{slug}/erase", json={"confirm": slug})
            problem = f"{admin.url} answers {answer.status_code}: {reason(answer)}"
        except httpx.HTTPError as error:
            answer, problem = None, f"{admin.url} cannot be reached: {error}"
        if answer is not None and answer.is_success:
            if answer.json()["done"]:
                return
            problem = (
                f"{slug} is no longer counted or shown, but the aggregator has not deleted all of"
                " it; is it running?"
            )
        elif answer is not None and answer.status_code not in _AWAY:
            fail(problem)
        if time.monotonic() > ends:
            fail(f"{problem} The same command again waits for it")
        time.sleep(_PAUSE)
