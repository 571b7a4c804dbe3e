"""The services of Luot as processes of their own, as an operator runs them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from services.ingest.salt_memory import default_folder
from tests.patience import PATIENCE_SECONDS
from tests.servers.redis import free_port


class Service:
    """`luot NAME` on a free port; killed and started again, it has the same port."""

    def __init__(self, name: str, directory: Path, **environ: str) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory / f"{name}.log"
        self._environ = {key: value for key, value in os.environ.items() if key[:5] != "LUOT_"}
        self._environ |= {"LUOT_SPOOL": str(directory / "spool"), "TMPDIR": str(directory)}
        self._environ |= {"LUOT_SALTS": str(default_folder())}
        self._environ |= {"LUOT_PORT": str(self.port), **environ}
        self.launcher: Sequence[str] = ()
        """What stands before the command, such as that of a MemoryGroup."""
        self.module = "services.cli.main"
        """What is run; for experiments, `luot` with something of it exchanged."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True, **environ: str) -> "Service":
        """Start it, this time with these settings, too."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.launcher, sys.executable, "-m", self.module, self.name],
                env={**self._environ, **environ},
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        said = ""
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(f"{self.url}/readyz")
                if answer.status_code == 200:
                    return
                said = answer.text
            except httpx.TransportError as error:
                said = repr(error)
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} is not ready: {said}\n{self.log.read_text()[-3000:]}")

    def wait_until_alive(self, seconds: float = 90) -> None:
        """Return when it answers at all."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                httpx.get(f"{self.url}/healthz")
            except httpx.TransportError:
                assert time.monotonic() < deadline, self.log.read_text()[-3000:]
                time.sleep(0.05)
            else:
                return

    def stop(self) -> int:
        """Stop it in good order; return its exit code, 0 when it was not running."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to do anything."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(how)
        code = self._process.wait(PATIENCE_SECONDS)
        self._process = None
        return code
