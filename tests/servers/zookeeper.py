"""A real ZooKeeper for tests, one server: there replicas of ClickHouse say what is new."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.patience import rounds
from tests.require import program
from tests.servers.process import ServerProcess
from tests.servers.redis import free_port

JAR = Path("/usr/share/java/zookeeper.jar")
"""Debian's; it names the others that it needs."""
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


class ZooKeeperServer(ServerProcess):
    """One server in a folder; stopped and started again, it has the same port and data."""

    def __init__(self, directory: Path) -> None:
        self.java = program("java")
        program("/usr/share/zookeeper/bin/zkServer.sh")
        self.directory = directory
        self.port = free_port()
        self._process = None

    def start(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "zoo.cfg"
        path.write_text(
            f"tickTime=500\ndataDir={self.directory / 'data'}\nclientPort={self.port}\n"
            "clientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n"
            # A process that is killed loses nothing of what it wrote; a machine would.
            "4lw.commands.whitelist=srvr\nforceSync=no\n"
        )
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self.java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                    *("-cp", str(JAR), _MAIN, str(path)),
                ],
                stdout=log,
                stderr=log,
            )
        for _ in rounds(0.05):
            if self._answers():
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        log_tail = (self.directory / "log").read_text(errors="replace")[-2000:]
        self.kill()
        raise RuntimeError(f"ZooKeeper does not answer:\n{log_tail}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as asking:
                asking.sendall(b"srvr")
                # It answers before it takes sessions, and says so.
                with asking.makefile("rb") as answer:
                    return b"\nMode:" in answer.read()
        except OSError:
            return False
