"""A client that was written for Plausible's API, used as it is, against a real service."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.require import package
from tests.servers.system import TOKEN, System

_CALL = """
import json, sys
from plausible_mcp import server
function, arguments = json.loads(sys.argv[1])
print(getattr(server, function)(**arguments))
"""


@pytest.fixture
def ask(luot: System, tmp_path: Path) -> Any:
    package("plausible_mcp")
    # It would otherwise tell its author of every call, and keep an id in the home folder.
    environ = {
        "DO_NOT_TRACK": "1",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PLAUSIBLE_BASE_URL": luot.api.url,
    }

    def call(function: str, token: str = TOKEN, **arguments: str) -> str:
        site = {} if function == "doctor" else {"site_id": "client.example"}
        given = {**site, "token": token, **arguments}
        done = subprocess.run(
            [sys.executable, "-c", _CALL, json.dumps([function, given])],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_a_client_of_plausible_reads_what_luot_counted(luot: System, ask: Any) -> None:
    luot.add_site("client", hosts=["client.example"])
    for number, path in enumerate(("/a", "/a", "/b")):
        sent = luot.hit("client", path, **{"X-Forwarded-For": f"198.51.100.{number}"})
        assert sent.status_code == 202
    luot.counter_when("client", total=3)

    total = ask("get_aggregate_stats", date_range="day")
    assert "3" in total, total
    pages = ask("get_breakdown", date_range="30d", property_name="page")
    assert pages.index("/a") < pages.index("/b"), pages
    assert ask("get_timeseries", date_range="7d").count("-") > 7
    assert "3" in ask("get_realtime_visitors")
    assert "Authentication failed (HTTP 401)" in ask("get_aggregate_stats", token="wrong")
    unknown = ask("get_aggregate_stats", site_id="nobody.example")
    assert "HTTP 404" in unknown
    assert "is not a site of this server" in unknown
    reached = json.loads(ask("doctor"))
    assert reached["token_valid"]
    assert "client" in reached["sample_sites"]
    assert "Authentication failed (HTTP 401)" in ask("doctor", token="wrong")
