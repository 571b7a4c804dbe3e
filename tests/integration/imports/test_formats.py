"""Logs in formats of other servers, imported by the command into a running Luot."""

import bz2
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from tests.integration.imports import world
from tests.servers.system import System

READERS = 12
AGENT = world.AGENT

Pack = Callable[[bytes], bytes]


def vhost() -> list[str]:
    lines = []
    for number in range(READERS):
        line = world.line(
            f"01/Mar/2024:10:{number:02}:00 +0700", f"/tin/{number % 3}", f"203.0.113.{number}"
        )
        lines += [f"mytho.example:443 {line}", f"other.example:443 {line}"]
    return lines


def iis() -> list[str]:
    lines = ["#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) sc-status"]
    for number in range(READERS):
        begin = f"2024-03-01 03:{number:02}:00 GET"
        end = f"- 203.0.113.{number} {AGENT.replace(' ', '+')} 200"
        lines += [f"{begin} /tin/{number % 3} {end}", f"{begin} /WebResource.axd {end}"]
    return lines


def caddy() -> list[str]:
    return [
        json.dumps(
            {
                "ts": 1709262000 + 60 * number,
                "request": {
                    "client_ip": f"203.0.113.{number}",
                    "method": "GET",
                    "host": "www.mytho.example",
                    "uri": f"/tin/{number % 3}",
                    "headers": {"User-Agent": [AGENT]},
                },
                "status": 200,
            }
        )
        for number in range(READERS)
    ]


@pytest.mark.parametrize(
    ("name", "written", "pack", "left_out"),
    [
        ("vhost-combined", vhost, lzma.compress, {"of another host": READERS}),
        ("iis", iis, bz2.compress, {"part of a page, or a service for programs": READERS}),
        ("caddy", caddy, zstd.compress, {}),
    ],
)
def test_a_log_of_another_server_counts_its_pages_and_readers(
    luot: System,
    tmp_path: Path,
    name: str,
    written: Callable[[], list[str]],
    pack: Pack,
    left_out: dict[str, int],
) -> None:
    slug = f"formats-{name}"
    luot.add_site(slug, hosts=["mytho.example"], timezone="Asia/Ho_Chi_Minh")
    (tmp_path / "log").write_bytes(pack(("\n".join(written()) + "\n").encode()))
    (file,) = world.imported(luot.api, tmp_path / "log", "--site", slug)
    assert (file["format"], file["addresses"], file["days"]) == (name, READERS, 1)
    assert (file["pages"], file["visits"], file["left_out"]) == (READERS, READERS, left_out)
    numbers = luot.counter_when(slug, total=READERS, metric="views")
    assert numbers["since"] == "2024-03-01"
    assert luot.counter(slug)["total"] == READERS


def test_a_log_that_is_read_wrongly_stops_before_anything_counts(
    luot: System, tmp_path: Path
) -> None:
    luot.add_site("formats-odd", hosts=["mytho.example"])
    good = world.line("01/Mar/2024:10:00:00 +0700", "/tin", "203.0.113.1") + "\n"
    (tmp_path / "log").write_text(good * 9 + "what is this\n")
    refused = world.run(luot.api, tmp_path / "log", "--site", "formats-odd")
    assert refused.returncode == 2
    assert "1 of 10 lines cannot be read as 'combined'" in refused.stderr
    assert world.listed(luot.api, "formats-odd") == []
    told = world.run(luot.api, tmp_path / "log", "--site", "formats-odd", "--unreadable")
    assert told.returncode == 0, told.stderr
    (file,) = json.loads(told.stdout)["files"]
    assert (file["pages"], file["left_out"]) == (9, {"cannot be read": 1})
