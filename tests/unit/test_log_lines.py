"""Log lines: one form for all of a process, an id of the request, outages from begin to end."""

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.runtime import request_id
from services.runtime.log_setup import JsonLines, TextLines
from services.runtime.outage import REMIND_SECONDS, Outage, span
from services.store.drivers import engine_noise

ROOT = Path(__file__).parents[2]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Lines:
    """A logger of its own, and what it wrote."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(formatter)
        self.log = logging.Logger("services.some.part")
        self.log.addHandler(handler)

    def __str__(self) -> str:
        return self.stream.getvalue()

    def __iter__(self) -> Iterator[str]:
        return iter(str(self).splitlines())

    @property
    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self]


def test_a_line_of_text_has_time_level_service_and_logger() -> None:
    lines = Lines(TextLines("ingest"))
    lines.log.warning("%d hits wait", 3)
    assert re.fullmatch(rf"{TIME} WARNING ingest services\.some\.part: 3 hits wait\n", str(lines))


def test_a_line_of_json_has_the_same_and_no_more() -> None:
    lines = Lines(JsonLines("api"))
    # As libraries add what they like, the address of a client for instance.
    lines.log.warning("%d hits wait", 3, extra={"client": "203.0.113.7", "color_message": "x"})
    (line,) = lines.json
    assert re.fullmatch(TIME, line.pop("time"))
    assert line == {
        "level": "WARNING",
        "service": "api",
        "logger": "services.some.part",
        "message": "3 hits wait",
    }


@pytest.mark.parametrize("formatter", [TextLines("api"), JsonLines("api")])
def test_what_somebody_sends_forges_no_line(formatter: logging.Formatter) -> None:
    lines = Lines(formatter)
    lines.log.warning("no such site: %s", "x\n2026-01-01T00:00:00.000Z ERROR api x: all is lost")
    lines.log.warning("a name that is no text: %s", os.fsdecode(b"\xff"))
    begins = [line for line in lines if not line.startswith("  ")]
    assert len(begins) == 2
    assert not any(line.startswith("2026-01-01") for line in lines)


def test_the_line_that_matters_stands_above_the_traceback() -> None:
    text, as_json = Lines(TextLines("api")), Lines(JsonLines("api"))
    for lines in (text, as_json):
        try:
            raise ValueError("of the test")
        except ValueError:
            lines.log.exception("a panel cannot be read")
    first, *rest = text
    assert first.endswith("a panel cannot be read")
    assert rest[-1] == "  ValueError: of the test"
    (line,) = as_json.json
    assert line["message"] == "a panel cannot be read"
    assert line["exception"].endswith("ValueError: of the test")


def test_a_line_names_the_request_that_it_is_about() -> None:
    text, as_json = Lines(TextLines("api")), Lines(JsonLines("api"))
    with request_id.bound(b"0123456789abcdef"):
        text.log.info("inside")
        as_json.log.warning("inside")
    text.log.warning("outside")
    with request_id.bound(None) as made:
        as_json.log.warning("one that was made")
        as_json.log.warning("and stays")
    within, outside = text
    assert within.endswith("inside [request 0123456789abcdef]")
    assert outside.endswith("outside")
    inside, first, second = as_json.json
    assert inside["request"] == "0123456789abcdef"
    assert first["request"] == second["request"] == made.decode()
    assert request_id.sane(made) == made


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"short",
        b"x" * 65,
        b"203.0.113.7",
        b"2001:db8::7",
        b"with space",
        b"line\nbreak",
        "tiếngViệt".encode(),
        b"Mozilla/5.0",
    ],
)
def test_an_id_of_a_proxy_that_may_be_anything_is_not_taken(value: bytes) -> None:
    assert request_id.sane(value) is None


@pytest.mark.parametrize(
    "value", [b"5f2b9c3e8a71d0466b1f2a9c0e4d7788", b"0f8fad5b-d9cb-469f-a165-70867728950e"]
)
def test_the_ids_that_proxies_make_are_taken(value: bytes) -> None:
    assert request_id.sane(value) == value


def test_an_outage_is_told_when_it_begins_now_and_then_and_when_it_is_over() -> None:
    lines, now = Lines(TextLines("api")), 0.0
    outage = Outage(lines.log, "the store is away", "the store is there", lambda: now)
    outage.ends()
    assert str(lines) == ""
    for _ in range(10):
        now += 1
        outage.begins("it is silent")
    assert outage.lasts
    now += REMIND_SECONDS
    outage.begins("it refuses")
    now += 4
    outage.ends()
    outage.ends()
    said = [line.partition(": ")[2] for line in lines]
    assert said == [
        "the store is away: it is silent",
        "the store is away, for 5 min 9 s now: it refuses",
        "the store is there again, after 5 min 13 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (59.6, "1 min 0 s"), (7300.0, "2 h 1 min")]
)
def test_a_duration_is_told_as_people_do(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_that_ends_the_process_is_a_line_like_any_other(form: str) -> None:
    code = (
        "import warnings; from services.runtime import log_setup;"
        f"log_setup.to_stderr('info', 'ingest', {form!r});"
        "warnings.warn('of the test', stacklevel=1); raise OSError('no more')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert len(lines) == 2
    assert "of the test" in lines[0]
    assert "the process ends: OSError: no more" in lines[1]
    if form == "json":
        assert [json.loads(line)["level"] for line in lines] == ["WARNING", "CRITICAL"]


_TRACE = b"""Cannot use cgroups reader: Code: 107. DB::Exception: Cannot find the file, Stack trace:

0. ? @ 0x000000001d967133
1. Objects/call.c:214:18: find(wchar_t const*) @ 0x000000000015861d
 (version 26.9.2.1)
"""


def test_the_engines_stack_trace_is_not_shown_and_whatever_else_it_says_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine_noise, "_opened", False)
    monkeypatch.setattr(engine_noise, "has_cgroups", lambda: False)
    with engine_noise.without_cgroup_trace():
        os.write(2, b"before\n" + _TRACE + b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"
    with engine_noise.without_cgroup_trace():
        os.write(2, b"later\n")
    assert capfd.readouterr().err == "later\n"


def test_cgroups_are_found_in_both_versions(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "self"
    (root / "user.slice" / "mine").mkdir(parents=True)
    own.write_text("0::/user.slice/mine\n")
    assert not engine_noise.has_cgroups(root, own)
    (root / "user.slice" / "memory.current").write_text("1")
    assert engine_noise.has_cgroups(root, own)
    own.write_text("4:memory:/\n")
    assert not engine_noise.has_cgroups(root, own)
    (root / "memory").mkdir()
    (root / "memory" / "memory.stat").write_text("1")
    assert engine_noise.has_cgroups(root, own)
