"""A Docker daemon of the test's own: its images, networks and volumes are nobody else's."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from tests.require import installed

PROGRAMS = ("dockerd", "docker", "docker-compose", "debootstrap", "openssl")


class NoDockerError(Exception):
    """This machine cannot run the test; the message says why."""


class Daemon:
    """Started in a folder, or one that runs already, by its address."""

    def __init__(self, folder: Path, address: str | None = None) -> None:
        self._folder = folder
        self._given = address is not None
        self.address = address or f"unix://{folder}/docker.sock"
        self.environ = {**os.environ, "DOCKER_HOST": self.address, "DOCKER_BUILDKIT": "0"}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if lacking := [name for name in PROGRAMS if installed(name) is None]:
            raise NoDockerError(f"{', '.join(lacking)} is not installed")
        if os.geteuid() != 0:
            raise NoDockerError("a Docker daemon is started by root only")
        if not self._given:
            self._start()
        return self

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("dockerd", "--host", self.address),
                    *("--data-root", f"{self._folder}/data"),
                    *("--exec-root", f"{self._folder}/exec"),
                    *("--pidfile", f"{self._folder}/docker.pid"),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while self.docker("version", check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "log").read_text(errors="replace")[-600:]
                self.__exit__()
                raise NoDockerError(f"dockerd does not start here:\n{said}")
            time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(60)
        self._process = None
        # What it keeps is as large as all images.
        for mount in _mounts_below(self._folder):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def docker(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command of Docker."""
        return self.run("docker", *words, check=check)

    def run(
        self,
        *words: str,
        check: bool = True,
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command that finds this daemon; raise with what it said when it fails."""
        done = subprocess.run(
            words, capture_output=True, text=True, cwd=cwd, env={**self.environ, **(environ or {})}
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def stats(self, container: str) -> dict[str, Any]:
        """Return what the daemon counts of a container, once."""
        transport = httpx.HTTPTransport(uds=self.address.removeprefix("unix://"))
        with httpx.Client(transport=transport, timeout=30) as client:
            answer = client.get(
                f"http://docker/containers/{container}/stats",
                params={"stream": "false", "one-shot": "true"},
            )
        found: dict[str, Any] = answer.json()
        return found

    def own_seconds(self) -> float | None:
        """Return the processor seconds of the daemon itself, and of what it starts to run checks.

        Only of a daemon of our own: of one that was there before, nobody can tell.
        """
        if self._process is None:
            return None
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(") ")[2].split()
                command = (stat.parent / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self._folder) in command:
                # Of the process, and of its children that have ended.
                ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")


def _mounts_below(folder: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)
