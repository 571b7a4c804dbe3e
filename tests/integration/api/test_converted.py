"""The export of another counter is converted, entered, and shown as it showed it."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from tests.integration.api.people import ADMIN
from tests.integration.api.world import Clock

pytestmark = pytest.mark.asyncio(loop_scope="module")

DUMP = """\
CREATE TABLE `nv4_counter` (`c_type` varchar(100), `c_val` varchar(100), `last_update` int,
  `c_count` int unsigned, `vi_count` int unsigned);
INSERT INTO `nv4_counter` VALUES ('total','hits',1704250800,8307145,0),
('day','02',1704164400,7097,0),('day','03',1704250800,6325,0),('day','04',1701662400,0,0);
CREATE TABLE `nv4_vi_news_rows` (`id` int, `alias` varchar(250), `hitstotal` int);
INSERT INTO `nv4_vi_news_rows` VALUES (1,'gia-lua',445),(2,'họp-thường-kỳ',1280);
"""
"""Of 3 January 2024, the day of these tests; what NukeViet has set to 0 is of the month before."""


def convert(path: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["convert", str(path), *arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout


async def enter(client: httpx.AsyncClient, text: str, name: str) -> dict[str, Any]:
    answer = await client.post(
        "/api/admin/sites/mytho/balances/bulk",
        params={"id": name, "reason": "NukeViet"},
        content=text.encode(),
        headers=ADMIN,
    )
    assert answer.is_success, answer.text
    return dict(answer.json())


async def test_days_and_articles_are_shown_as_nukeviet_showed_them(
    client: httpx.AsyncClient, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "nukeviet.sql"
    path.write_text(DUMP)
    periods = convert(path, "--lines", "periods")
    assert periods == "period,visits,views\ntotal,8307145,0\n"
    await enter(client, periods, "periods")
    await enter(client, convert(path, "--lines", "days"), "days")
    address = "/tin-tuc/{alias}-{id}.html"
    await enter(client, convert(path, "--lines", "pages", "--address", address), "pages")
    clock.now += 2
    pages = ["/tin-tuc/gia-lua-1.html", "/tin-tuc/họp-thường-kỳ-2.html"]
    shown = (await client.get("/api/counter/mytho", params={"path": pages})).json()
    assert (shown["today"], shown["yesterday"], shown["total"]) == (6325, 7097, 8307145)
    assert [shown["paths"][page]["views"] for page in pages] == [445, 1280]

    before = dict(shown)
    await enter(client, convert(path, "--lines", "days"), "days")
    clock.now += 2
    shown = (await client.get("/api/counter/mytho", params={"path": pages})).json()
    assert shown["today"] == before["today"], "the same file twice is once"
