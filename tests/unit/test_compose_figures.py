"""The figures of `make compose-test` say what was measured, and what was not."""

from pathlib import Path

from tests.compose.daemon import Daemon
from tests.compose.figures import Reading, between, table


def lines(seconds: dict[str, float]) -> list[str]:
    before = Reading(10, dict.fromkeys(seconds, 0.0), {"api-1": 50_000_000})
    after = Reading(20, seconds, {"api-1": 60_000_000})
    return table({"idle": between(before, after)}, {"api-1": 100 << 20}).splitlines()


def test_docker_is_measured_where_it_is_ours() -> None:
    assert lines({"": 0.5, "api-1": 1.0})[-1].endswith("| 5.0% |")


def test_a_docker_that_was_there_is_not_measured_and_not_said_to_take_nothing(
    tmp_path: Path,
) -> None:
    assert Daemon(tmp_path, "unix:///var/run/docker.sock").own_seconds() is None
    *_, container, total, docker = lines({"api-1": 1.0})
    assert docker.endswith("| not measured |")
    assert container == "| api-1 | 100 MiB | 60 MB | 10.0% |"
    assert "**10.0%**" in total
