"""`run` as a process of its own, over real connections."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from services.ingest.salt_memory import default_folder
from tests.integration.ingest.conftest import CHROME, Log
from tests.servers.redis import free_port

RUN = (
    "from services.ingest.app import run;"
    "from services.ingest.settings import IngestSettings;"
    "run(IngestSettings.read())"
)


class Process:
    def __init__(self, log: Log, output: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.output = output
        with output.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", RUN],
                env={
                    "LUOT_REDIS_URL": log.server.url,
                    "LUOT_SPOOL": str(output.parent / "spool"),
                    "LUOT_SALTS": str(default_folder()),
                    "LUOT_PORT": str(port),
                    "PYTHONPATH": str(Path(__file__).parents[3]),
                },
                stdout=out,
                stderr=out,
            )

    def wait_until_ready(self) -> None:
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport) as client:
            assert client.get(f"{self.url}/readyz", timeout=60).status_code == 200


@contextmanager
def process(log: Log, output: Path) -> Iterator[Process]:
    started = Process(log, output)
    try:
        yield started
    finally:
        started.popen.kill()
        started.popen.wait(60)


def test_a_process_takes_hits_and_ends_in_good_order(log: Log, tmp_path: Path) -> None:
    with process(log, tmp_path / "out") as ingest:
        ingest.wait_until_ready()
        with httpx.Client(base_url=ingest.url, headers={"user-agent": CHROME}) as client:
            answer = client.post(
                "/e",
                content='{"n":"pageview","u":"https://mytho.example/tin","d":"mytho"}',
                headers={"x-forwarded-for": "203.0.113.9"},
            )
            assert (answer.status_code, answer.text) == (202, "ok")
            assert "server" not in answer.headers
            assert client.post("/e", content=b"x" * 9000).status_code == 413
            assert client.post("/e", content=iter([b"x" * 5000] * 3)).status_code == 413
        ingest.popen.send_signal(signal.SIGTERM)
        assert ingest.popen.wait(60) == 0
        said = ingest.output.read_text()
    assert [hit.path for hit in log.hits()] == ["/tin"]
    assert "Traceback" not in said
    assert "203.0.113.9" not in said
    assert "Chrome" not in said


def test_a_redis_that_must_not_hold_the_log_ends_the_process_with_the_reason(
    log: Log, tmp_path: Path
) -> None:
    log.redis.set("hits:partitions", 3)
    with process(log, tmp_path / "out") as ingest:
        assert ingest.popen.wait(60) == 1
        said = ingest.output.read_text()
    assert "LUOT_PARTITIONS=8: this Redis holds a log of 3 partitions" in said
    assert "Traceback" not in said
