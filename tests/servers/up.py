"""`luot up` as a person runs it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.ingest.salt_memory import default_folder
from tests.noon import zone_at_noon
from tests.servers.system import wait_until_known, whole_numbers

READY_SECONDS = 180.0
COUNTED_SECONDS = 120.0
LUOT = [sys.executable, "-m", "services.cli.main"]
ROOT = Path(__file__).parents[2]
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"


def environ(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LUOT_")}
    clean |= {"LUOT_SALTS": str(default_folder())}
    return {**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **more}


def luot(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LUOT, *arguments],
        env=environ(**more),
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )


class Up:
    """A running `luot up`."""

    def __init__(self, data: Path, port: int = 0, **more: str) -> None:
        self.data = data
        self.site = "demo"
        """The site whose pages are viewed, and whose numbers are read."""
        self.output: list[str] = []
        self.process = subprocess.Popen(
            [*LUOT, "up", "--data", str(data), "--port", str(port)],
            env=environ(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # In every language.
        self.read_until("/demo (Ctrl-C")
        self.url = (data / "url").read_text().strip()
        # A connection that is kept for the next request may be closed while a test waits.
        alone = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=self.url, headers={"User-Agent": BROWSER}, limits=alone)

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if text in line:
                return
        pytest.fail("luot up ended:\n" + "".join(self.output))

    def view(self, path: str = "/demo", address: str = "192.0.2.1", agent: str = BROWSER) -> None:
        answer = self.http.post(
            "/api/event",
            json={"n": "pageview", "d": self.site, "u": f"{self.url}{path}"},
            headers={"X-Forwarded-For": address, "User-Agent": agent},
        )
        assert answer.status_code == 202

    def counter(self, **query: str | list[str]) -> Any:
        asked = {"metric": "views", **query}
        return whole_numbers(lambda: self.http.get(f"/api/counter/{self.site}", params=asked))

    def move_to_noon(self) -> None:
        """Make a site where it is noon, and view its pages from now on: no day ends there."""
        token = (self.data / "token").read_text().strip()
        self.site = "noon"
        site = {"slug": self.site, "hosts": ["127.0.0.1"], "timezone": zone_at_noon()}
        owner = {"Authorization": f"Bearer {token}"}
        made = self.http.post("/api/admin/sites", json=site, headers=owner)
        assert made.status_code == 201, made.text
        wait_until_known(self.url, self.site)

    def wait_for_total(self, total: int) -> None:
        deadline = time.monotonic() + COUNTED_SECONDS
        while (found := self.counter()["total"]) != total:
            assert time.monotonic() < deadline, f"the total is {found}, expected {total}"
            time.sleep(0.05)

    def settled_total(self) -> int:
        """Return the total once it holds every hit that this process accepted.

        An answer is kept for a second: the total that is read first may miss a hit of the test
        before. For a folder that was empty, without imports, whose only site with hits is `demo`.
        """
        families = text_string_to_metric_families(self.http.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples)
        (total,) = (
            int(sample.value)
            for sample in samples
            if sample.name == "luot_hits_total" and sample.labels["outcome"] == "accepted"
        )
        self.wait_for_total(total)
        return total

    def valkey(self) -> int:
        """Return the process id of the embedded Valkey."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        (pid,) = children.split()
        return int(pid)

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        self.http.close()
        self.process.send_signal(how)
        try:
            return self.process.wait(READY_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.output += self.process.stdout.readlines()
            self.process.stdout.close()
