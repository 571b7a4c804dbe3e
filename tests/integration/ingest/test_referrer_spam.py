"""Hits whose referrer an operator lists as spam."""

from pathlib import Path

import msgspec
import pytest

from tests.integration.ingest.conftest import Log, OpenIngest


async def test_what_comes_from_a_listed_referrer_is_tagged_and_does_not_count(
    log: Log, open_ingest: OpenIngest, tmp_path: Path
) -> None:
    path = tmp_path / "patterns"
    path.write_text("# seen in November\nreferrer Spam.Example:80\n")
    async with open_ingest(bot_patterns=path) as browser:
        reasons = {}
        for referrer in (
            "https://spam.example/x",
            "http://www.best.spam.example/",
            "https://notspam.example/",
            "https://mytho.example/",
            "",
        ):
            event = {"n": "pageview", "u": "https://mytho.example/", "d": "mytho", "r": referrer}
            answer = await browser.http.post("/e", content=msgspec.json.encode(event))
            reasons[referrer] = answer.headers.get("x-luot-dropped")
    assert list(reasons.values()) == ["bot", "bot", None, None, None], reasons
    tagged = [(hit.source, hit.bot) for hit in log.hits()]
    assert tagged[:3] == [
        ("spam.example", True),
        ("best.spam.example", True),
        ("notspam.example", False),
    ]


@pytest.mark.parametrize("line", ["referrer", "referrer nodots", "referrer https://a.example/"])
async def test_a_referrer_that_is_no_host_stops_the_start(
    log: Log, open_ingest: OpenIngest, tmp_path: Path, line: str
) -> None:
    path = tmp_path / "patterns"
    path.write_text(line)
    with pytest.raises(Exception, match=r"LUOT_BOT_PATTERNS=.*line 1"):
        async with open_ingest(bot_patterns=path):
            pass
