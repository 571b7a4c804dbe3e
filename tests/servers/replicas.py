"""Redis with replicas: servers that copy a master, and Sentinels that watch them."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import redis

from tests.patience import rounds
from tests.servers.process import ServerProcess
from tests.servers.redis import RedisServer, any_program, free_port

NAME = "luot"
"""What the Sentinels call the servers."""


class ReplicaServer(RedisServer):
    """A Redis with the shipped configuration, which becomes a replica or a master when told."""

    def __init__(self, directory: Path, server: str | None = None, *options: str) -> None:
        super().__init__(directory, server, "--repl-diskless-sync-delay", "0", *options)
        directory.mkdir(parents=True)
        # Sentinels have servers rewrite it.
        self.configuration = Path(shutil.copy(self.configuration, directory / "redis.conf"))

    def follow(self, master: RedisServer) -> None:
        """Become a replica, and return when the master has said that it is one."""
        with self.client() as client, master.client() as of_master:
            client.replicaof("127.0.0.1", str(master.port))
            for _ in rounds(0.02):
                of_master.publish("something to hold", "")
                known = dict(of_master.info("replication"))
                mine = [one for one in known.values() if _is_replica(one, self.port)]
                # It is called online before it has said a word.
                if mine and mine[0]["state"] == "online" and mine[0]["offset"]:
                    break
                time.sleep(0.02)
            else:
                raise AssertionError(f"no replica: {known}")

    def wait_until_replica(self) -> None:
        """Return when somebody has made it one, and it has what its master has."""
        with self.client() as client:
            for _ in rounds(0.05):
                try:
                    if dict(client.info("replication")).get("master_link_status") == "up":
                        return
                except redis.RedisError:
                    # Sentinels cut the connections of a server that changes.
                    pass
                time.sleep(0.05)
        raise AssertionError("it is no replica")

    def cut(self) -> None:
        """Lose the way to the master, as by a cut cable: what it has is all that it will get."""
        with self.client() as client:
            client.replicaof("127.0.0.1", str(free_port()))

    def promote(self) -> None:
        """Become a master."""
        with self.client() as client:
            client.replicaof("NO", "ONE")


def _is_replica(known: Any, port: int) -> bool:
    return isinstance(known, dict) and known.get("port") == port


class SentinelServer(ServerProcess):
    """A Sentinel that watches a master and changes it after a second without an answer."""

    def __init__(
        self, directory: Path, master: RedisServer, quorum: int, settings: Sequence[str]
    ) -> None:
        self.port = free_port()
        self._configuration = directory / "sentinel.conf"
        self._log = directory / "log"
        directory.mkdir(parents=True)
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {directory}",
            f"sentinel monitor {NAME} 127.0.0.1 {master.port} {quorum}",
            f"sentinel down-after-milliseconds {NAME} 1000",
            f"sentinel failover-timeout {NAME} 5000",
            *settings,
        ]
        self._configuration.write_text("\n".join([*lines, ""]))
        self._process = None

    def start(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [any_program(), str(self._configuration), "--sentinel"], stdout=log, stderr=log
            )
        return self

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, decode_responses=True)

    def ask(self, *command: str) -> Any:
        """Return the answer of the Sentinel; None where it has none, or is not there yet."""
        with self.client() as client:
            try:
                return client.execute_command("SENTINEL", *command)
            except redis.RedisError:
                return None


class Watched:
    """Servers, of which one is the master, and Sentinels that see to it."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        sentinel: Sequence[str] = (),
        servers: int = 3,
        sentinels: int = 3,
    ) -> None:
        """Prepare; `options` are those of each server, `sentinel` lines for the Sentinels."""
        self.servers = [
            ReplicaServer(directory / f"redis-{n}", None, *options) for n in range(servers)
        ]
        quorum = sentinels // 2 + 1
        self.sentinels = [
            SentinelServer(directory / f"sentinel-{n}", self.servers[0], quorum, sentinel)
            for n in range(sentinels)
        ]

    def start(self) -> Self:
        for server in self.servers:
            server.start()
        for server in self.servers[1:]:
            server.follow(self.servers[0])
        for sentinel in self.sentinels:
            sentinel.start()
        for _ in rounds(0.05):
            knowing = [sentinel.ask("ckquorum", NAME) for sentinel in self.sentinels]
            replicas = [sentinel.ask("replicas", NAME) for sentinel in self.sentinels]
            if all(knowing) and all(
                len(known or ()) == len(self.servers) - 1 for known in replicas
            ):
                return self
            time.sleep(0.05)
        raise AssertionError(f"the Sentinels do not know all: {knowing}, {replicas}")

    def stop(self) -> None:
        for server in (*self.sentinels, *self.servers):
            server.thaw()
            server.kill()

    def url(self, user: str = "") -> str:
        """Return the address of whatever is the master; `user` is `name:password@`."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{user}{hosts}/{NAME}/0"

    @property
    def master(self) -> ReplicaServer:
        """The server that a Sentinel names as the master."""
        for sentinel in self.sentinels:
            if address := sentinel.ask("get-master-addr-by-name", NAME):
                return next(one for one in self.servers if str(one.port) == address[1])
        raise AssertionError("no Sentinel names a master")

    def master_after(self, gone: ReplicaServer) -> ReplicaServer:
        """Return the new master as soon as every Sentinel has taken another one for it."""
        names = [f"{gone.port}"]
        for _ in rounds(0.05):
            named = [sentinel.ask("get-master-addr-by-name", NAME) for sentinel in self.sentinels]
            ports = {address[1] for address in named if address}
            if len(ports) == 1 and not ports & set(names):
                return next(one for one in self.servers if str(one.port) in ports)
            time.sleep(0.05)
        raise AssertionError(f"no new master: {named}")
