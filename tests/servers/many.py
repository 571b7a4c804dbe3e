"""Brokers and ZooKeepers as `docker-compose.many.yml` starts them, beside each other on loopback.

Three of each listen on the same ports of addresses of their own, as containers do.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.require import program
from tests.servers.process import ServerProcess
from tests.servers.redis import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
# What runs for seconds is not worth what would make it fast.
_SOON = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}


class ShippedServer(ServerProcess):
    """One of several servers in a folder, with the scripts `run` and `ready` of deploy/."""

    def __init__(self, directory: Path, shipped: str, address: str, environ: Mapping[str, str]):
        self.directory = directory
        self.files = directory / "files"
        self.data = directory / "data"
        self.address = address
        self._shell = program("bash")
        self._process = None
        shutil.copytree(DEPLOY / shipped, self.files)
        self.data.mkdir()
        (directory / "tmp").mkdir()
        self._environ = {
            **os.environ,
            **environ,
            "NAME": address,
            "DATA": str(self.data),
            "WORK": str(directory / "tmp"),
        }

    def change(self, ports: Mapping[int, int], others: Mapping[str, str]) -> None:
        """Let it have other ports, and other texts in its files; before the first start."""
        for path in self.files.iterdir():
            text = path.read_text("utf-8")
            for before, after in others.items():
                text = text.replace(before, after)
            for port, free in ports.items():
                text = re.sub(rf"\b{port}\b", str(free), text)
            path.write_text(text)

    def start(self) -> None:
        """Start it; returns at once."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", self.files / "run"], stdout=log, stderr=log, env=self._environ
            )

    def is_ready(self) -> bool:
        """Tell what its own check says. Raises RuntimeError where it has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError((self.directory / "log").read_text("utf-8", "replace")[-2000:])
        command = [self._shell, str(self.files / "ready")]
        done = subprocess.run(command, capture_output=True, env=self._environ)
        return done.returncode == 0


def free_ports(ports: Iterable[int]) -> dict[int, int]:
    """Return a free port for each of these."""
    return {port: free_port() for port in ports}


def brokers(
    directory: Path, secrets: Path, classes: str, ports: Mapping[int, int], addresses: Sequence[str]
) -> list[ShippedServer]:
    """Return brokers with the accounts that deploy/make-secrets made, not started.

    classes  Kafka's, as Java's option -cp has them
    ports    in place of 9091 to 9093
    """
    environ = {
        "BROKERS": " ".join(addresses),
        "HEAP": "256m",
        "SECRETS": str(secrets / "kafka"),
        "CLASSES": classes,
        **_SOON,
    }
    made = []
    for address in addresses:
        broker = ShippedServer(directory / address, "kafka", address, environ)
        own = {f"{name}://:": f"{name}://{address}:" for name in ("LUOT", "BROKERS", "CONTROLLER")}
        broker.change(ports, {**own, "/dev/tcp/127.0.0.1/": f"/dev/tcp/{address}/"})
        made.append(broker)
    return made


def zookeepers(
    directory: Path, ports: Mapping[int, int], addresses: Sequence[str]
) -> list[ShippedServer]:
    """Return ZooKeepers, not started.

    ports  in place of 2181, 2888 and 3888
    """
    folder = Path(program("/usr/share/zookeeper/bin/zkServer.sh")).parent
    environ = {
        "SERVERS": " ".join(addresses),
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SERVER_JVMFLAGS": "-Xmx64m -XX:+UseSerialGC",
        **_SOON,
    }
    made = []
    for address in addresses:
        server = ShippedServer(directory / address, "zookeeper", address, environ)
        own = {"quorumListenOnAllIPs=true": f"clientPortAddress={address}"}
        server.change(ports, {**own, "/dev/tcp/127.0.0.1/": f"/dev/tcp/{address}/"})
        made.append(server)
    return made
