"""`luot site remove --erase`: says what will be deleted, then deletes it, despite any restarts."""

from typing import Any

from services.cli.connection import Admin, at
from services.cli.language import grouped, said
from services.cli.terminal import confirm, say

WAIT_SECONDS = 120.0
"""How long the command waits for the deletion; running it again waits once more."""
_AWAY = {429, 502, 503, 504}


def erase(admin: Admin, slug: str, yes: bool) -> None:
    """Erase a site, or what is left of a removed one, and wait until it is deleted."""
    counts = admin.call("GET", at("sites", slug, "erase"))
    say(f"{slug} will be deleted for good, with {_described(counts)}, and its settings.", err=True)
    say("Its users lose access to it, and tokens for it alone are revoked.", err=True)
    if not yes:
        confirm(f"Erase {slug}?")
    admin.until(
        lambda answer: answer["done"],
        at("sites", slug, "erase"),
        json={"confirm": slug},
        seconds=WAIT_SECONDS,
        away=_AWAY,
        waiting=f"{slug} is no longer counted or shown, but the aggregator has not deleted all of"
        " it yet; is it running?",
        again="to keep waiting",
    )
    say(f"erased {slug}")


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
    return ", ".join(f"{grouped(kept[field])} {said(name)}" for field, name in counts)
