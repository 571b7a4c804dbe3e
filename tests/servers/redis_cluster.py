"""A Redis Cluster: three masters, and a replica of each where one is asked for."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import redis
from redis.crc import key_slot

from tests.patience import rounds
from tests.servers.redis import RedisServer, free_port
from tests.servers.replicas import ReplicaServer

SLOTS = 16384
MASTERS = 3
STABLE_MS = 30_000
"""After so long without an answer a node is given up: never, where none dies."""
FAILING_MS = 2_000


class Node(ReplicaServer):
    """A server of a cluster."""

    def __init__(
        self, directory: Path, timeout_ms: int, *options: str, tls: Path | None = None
    ) -> None:
        """Prepare; `tls` is a folder with `cert.pem` and `key.pem`, for a port with TLS as well."""
        super().__init__(directory, None, *options)
        self.tls_port = free_port()
        self.meets_at = self.port if tls is None else self.tls_port
        if tls is not None:
            self.options = (
                *(*self.options, "--tls-port", str(self.tls_port), "--tls-auth-clients", "no"),
                *("--tls-cert-file", str(tls / "cert.pem"), "--tls-key-file", str(tls / "key.pem")),
                *("--tls-ca-cert-file", str(tls / "cert.pem"), "--tls-cluster", "yes"),
            )
        self.bus = free_port()
        self.options = (
            *self.options,
            *("--cluster-enabled", "yes", "--cluster-port", str(self.bus)),
            *("--cluster-config-file", str(directory / "nodes.conf")),
            *("--cluster-node-timeout", str(timeout_ms), "--cluster-replica-validity-factor", "0"),
        )

    @property
    def id(self) -> str:
        return str(self.said("myid"))

    def said(self, *command: str) -> Any:
        """Return the answer to a command of CLUSTER."""
        with self.client() as client:
            answer: Any = client.execute_command("CLUSTER", *command)
        return answer.decode() if isinstance(answer, bytes) else answer

    def wait_until_even(self, master: RedisServer) -> None:
        """Return when it has received all that its master has."""
        with self.client() as client, master.client() as of_master:
            for _ in rounds(0.05):
                sent = dict(of_master.info("replication"))["master_repl_offset"]
                if dict(client.info("replication")).get("slave_repl_offset", -1) >= sent:
                    return
                time.sleep(0.05)
        raise AssertionError("it does not catch up")

    def cut(self) -> None:
        """Lose the way to the master, as a replica: what it has is all that it will get."""
        with self.client() as client:
            client.config_set("masteruser", "nobody")
            client.config_set("masterauth", "wrong")
            client.execute_command("CLIENT", "KILL", "TYPE", "master")
            for _ in rounds(0.05):
                if dict(client.info("replication"))["master_link_status"] == "down":
                    return
                time.sleep(0.05)
        raise AssertionError("it still has its master")

    def role(self) -> str:
        """Return `master` or `slave`; nothing where it does not answer."""
        with suppress(redis.RedisError), self.client() as client:
            return str(dict(client.info("replication"))["role"])
        return ""


class RedisCluster:
    """Nodes of a cluster on this machine, which share the slots evenly."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        replicas: bool = False,
        timeout_ms: int = STABLE_MS,
        tls: Path | None = None,
    ) -> None:
        """Prepare; `options` are those of each server, and `tls` has their certificate."""
        number = 2 * MASTERS if replicas else MASTERS
        self.nodes = [
            Node(directory / f"node-{n}", timeout_ms, *options, tls=tls) for n in range(number)
        ]

    def start(self) -> Self:
        for node in self.nodes:
            node.start()
        first, *others = self.nodes
        for node in others:
            node.said("MEET", "127.0.0.1", str(first.meets_at), str(first.bus))
        for number, node in enumerate(self.nodes[:MASTERS]):
            low, high = number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS - 1
            node.said("ADDSLOTSRANGE", str(low), str(high))
        self._wait(lambda: all(self._knows_all(node) for node in self.nodes))
        for node, master in zip(self.nodes[MASTERS:], self.nodes, strict=False):
            node.said("REPLICATE", master.id)
        for node in self.nodes[MASTERS:]:
            node.wait_until_replica()
        self._wait(lambda: all("cluster_state:ok" in node.said("INFO") for node in self.nodes))
        return self

    def _knows_all(self, node: Node) -> bool:
        known = node.said("NODES").splitlines()
        return len(known) == len(self.nodes) and not any("handshake" in line for line in known)

    @staticmethod
    def _wait(met: Any) -> None:
        for _ in rounds(0.05):
            if met():
                return
            time.sleep(0.05)
        raise AssertionError("the cluster does not come together")

    def stop(self) -> None:
        for node in self.nodes:
            node.thaw()
            node.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, user: str = "", *, known: Sequence[Node] = ()) -> str:
        """Return the address of the cluster; `user` is `name:password@`."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in known or self.nodes[:MASTERS])
        return f"redis+cluster://{user}{hosts}"

    def client(self) -> redis.RedisCluster:
        """Return a client of the tests, which sends each command where it belongs."""
        return redis.RedisCluster("127.0.0.1", self.nodes[0].port)

    def masters(self) -> list[Node]:
        """Return the nodes that say they are masters."""
        return [node for node in self.nodes if node.role() == "master"]

    def flush(self) -> None:
        """Make every master empty."""
        for node in self.masters():
            with node.client() as client:
                client.flushall()

    def owner(self, key: str) -> Node:
        """Return the master of a key, as the first node that answers says.

        For a moment, a node that was away may know of no owner of a slot that was moved.
        """
        slot = key_slot(key.encode())
        for _ in rounds(0.1):
            for first, last, master, *_ in self._slots():
                if first <= slot <= last:
                    return next(node for node in self.nodes if node.port == master[1])
            time.sleep(0.1)
        raise AssertionError(f"nobody has slot {slot}: {self._slots()}")

    def _slots(self) -> list[Any]:
        for node in self.nodes:
            with suppress(redis.RedisError):
                return list(node.said("SLOTS"))
        raise AssertionError("no node answers")

    def master_after(self, gone: Node, key: str) -> Node:
        """Return the master of a key as soon as it is another one than that which is gone."""
        for _ in rounds(0.05):
            for node in self.nodes:
                if node is gone:
                    continue
                with suppress(redis.RedisError):
                    slots: list[Any] = list(node.said("SLOTS"))
                    slot = key_slot(key.encode())
                    ports = [master[1] for low, high, master, *_ in slots if low <= slot <= high]
                    if ports and ports[0] != gone.port and "cluster_state:ok" in node.said("INFO"):
                        return next(one for one in self.nodes if one.port == ports[0])
            time.sleep(0.05)
        raise AssertionError("no replica has taken its place")

    def move(self, key: str, to: Node) -> None:
        """Move the slot of a key, with all that is in it, as `redis-cli --cluster` does."""
        for _ in self.moving(key, to):
            pass

    def replica(self, master: Node) -> Node:
        """Return the replica of a master, once it has one: a server that was away comes back."""
        for _ in rounds(0.1):
            if (found := self._replica(master)) is not None:
                return found
            time.sleep(0.1)
        raise AssertionError("it has no replica")

    def _replica(self, master: Node) -> Node | None:
        for line in master.said("NODES").splitlines():
            _, address, flags, of, *_ = line.split()
            if "slave" in flags.split(",") and "fail" not in flags and of == master.id:
                port = int(address.partition("@")[0].rpartition(":")[2])
                return next(node for node in self.nodes if node.port == port)
        return None

    def moving(self, key: str, to: Node) -> Iterator[str]:
        """Move the slot of a key; a step with every `next`, and what was done."""
        slot, source = str(key_slot(key.encode())), self.owner(key)
        assert source is not to
        to.said("SETSLOT", slot, "IMPORTING", source.id)
        source.said("SETSLOT", slot, "MIGRATING", to.id)
        yield "open"
        with source.client() as client:
            while found := source.said("GETKEYSINSLOT", slot, "1"):
                client.execute_command("MIGRATE", "127.0.0.1", to.port, found[0], 0, 5000)
                yield found[0].decode()
        for node in (to, source):
            node.said("SETSLOT", slot, "NODE", to.id)
        for node in self.masters():
            node.said("SETSLOT", slot, "NODE", to.id)
        yield "done"
