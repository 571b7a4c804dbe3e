"""A real ClickHouse server for tests: Debian's 18.16, with the configuration that is shipped."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from clickhouse_driver import Client
from clickhouse_driver.errors import Error

from tests.patience import PATIENCE_SECONDS
from tests.require import program
from tests.servers.redis import free_port

DEPLOY = Path(__file__).parents[2] / "deploy" / "clickhouse"
DATABASE = "luot"

_CONFIG = """<yandex>
    <logger><console>true</console></logger>
    <listen_host>127.0.0.1</listen_host>
    <tcp_port>{tcp}</tcp_port>
    <http_port>{http}</http_port>
    <interserver_http_port>{interserver}</interserver_http_port>
    <interserver_http_host>127.0.0.1</interserver_http_host>
    <path>{data}/</path>
    <tmp_path>{data}/tmp/</tmp_path>
    <user_files_path>{data}/user_files/</user_files_path>
    <format_schema_path>{data}/format_schemas/</format_schema_path>
    <users_config>users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
</yandex>
"""

_USERS = """<yandex>
    <profiles><default></default></profiles>
    <quotas><default></default></quotas>
    <users>
        <default>
            <password>{password}</password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
        </default>
    </users>
</yandex>
"""


class ClickHouseServer:
    """One server in a folder; stopped and started again, it has the same ports and data."""

    def __init__(self, directory: Path, password: str = "", accounts: Path | None = None) -> None:
        self.program = program("clickhouse-server")
        self.directory = directory
        self.password = password
        self.accounts = accounts
        """A folder users.d with the accounts of the services, beside that of the test."""
        self.port = free_port()
        self.launcher: Sequence[str] = ()
        """What stands before the command, such as that of a MemoryGroup."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        user = f"default:{self.password}" if self.password else "default"
        return f"clickhouse://{user}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        self._configure()
        environ = {**os.environ, "TZ": "UTC"}
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.launcher, self.program, f"--config-file={self.directory / 'config.xml'}"],
                cwd=self.directory,
                env=environ,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_tail = (self.directory / "log").read_text(errors="replace")[-4000:]
                self.kill()
                raise RuntimeError(f"clickhouse-server does not answer:\n{log_tail}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Stop it in good order; nothing happens when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _configure(self) -> None:
        data = self.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        for folder, shipped in (
            ("config.d", [DEPLOY / "config.d"]),
            ("users.d", [DEPLOY / "users.d", DEPLOY / "debian-12" / "users.d"]),
        ):
            for source in shipped:
                shutil.copytree(source, self.directory / folder, dirs_exist_ok=True)
        if self.accounts is None:
            (self.directory / "users.d" / "luot-rights.xml").unlink()
        else:
            shutil.copytree(self.accounts, self.directory / "users.d", dirs_exist_ok=True)
        config = self.directory / "config.xml"
        if not config.exists():
            config.write_text(
                _CONFIG.format(tcp=self.port, http=free_port(), interserver=free_port(), data=data)
            )
        (self.directory / "users.xml").write_text(_USERS.format(password=self.password))

    def _answers(self) -> bool:
        try:
            # The driver logs a refused connection with a traceback, so first see whether it is.
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            with Client("127.0.0.1", port=self.port, password=self.password) as client:
                return bool(client.execute("SELECT 1") == [(1,)])
        except (EOFError, OSError, Error):
            return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(120)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None
