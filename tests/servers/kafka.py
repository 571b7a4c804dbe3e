"""A real Kafka broker for tests: KRaft, one process that is broker and controller."""

import os
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.patience import PATIENCE_SECONDS
from tests.require import program
from tests.servers.process import ServerProcess
from tests.servers.redis import free_port

VERSION = "4.2.2"
USER, PASSWORD = "luot", "hush-hush"
"""Who may use the listener with TLS and SASL."""
OFFSETS_PARTITIONS = 2
"""Of the topic with the offsets of groups."""
LISTENERS = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL"
CERTIFICATE = (
    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out ca.pem"
)
_QUICK_START = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For the start of a process, not for a long life."""
_POM = Path(__file__).parent / "kafka_pom.xml"
_FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "luot" / "kafka"


def jars() -> str:
    """Return the class path of Kafka's broker, which Maven fetches once."""
    folder = _FOLDER / VERSION
    if not (folder / "complete").exists():
        maven = program("mvn")
        _run(
            "Maven",
            *(maven, "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", f"-DoutputDirectory={folder}"),
            seconds=600,
        )
        (folder / "complete").touch()
    return f"{folder}/*"


def _run(name: str, *command: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Run a tool to its end. Raises RuntimeError with what it said, where it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}"[-3000:]
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{said}")


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def new_id() -> str:
    """Return an id as Kafka gives them to clusters and folders: none that looks like an option."""
    while (made := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


class KafkaServer(ServerProcess):
    """One broker in a folder; stopped and started again, it has the same port and data.

    With `secured`, it also listens with TLS and SASL.
    """

    copies = 1
    """Of what Kafka keeps of groups and transactions."""

    def __init__(self, directory: Path, *, secured: bool = False) -> None:
        self.java = program("java")
        self.classes = jars()
        self.directory = directory
        self.port = free_port()
        self.advertised = self.port
        """Where clients and other brokers reach it, such as a proxy; set before the first start."""
        self.secured_port = free_port() if secured else 0
        self.controller = free_port()
        self.java_options: Sequence[str] = _QUICK_START
        self._process = None

    def url(self, topic: str) -> str:
        return f"kafka://127.0.0.1:{self.advertised}/{topic}"

    def secured_url(self, topic: str, password: str = PASSWORD, more: str = "") -> str:
        place = f"{USER}:{password}@127.0.0.1:{self.secured_port}/{topic}"
        return f"kafkas://{place}?ca={self.directory / 'ca.pem'}{more}"

    def configure(self) -> Path:
        """Write its settings and prepare its folder, once; return the file of settings."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "server.properties"
        if path.exists():
            return path
        data = self.directory / "data"
        secured = f",SASL_SSL://127.0.0.1:{self.secured_port}" if self.secured_port else ""
        plain, controller = "PLAINTEXT://127.0.0.1", f"CONTROLLER://127.0.0.1:{self.controller}"
        path.write_text(
            "\n".join(
                (
                    "process.roles=broker,controller",
                    *self._place(),
                    f"listeners={plain}:{self.port}{secured},{controller}",
                    f"advertised.listeners={plain}:{self.advertised}{secured}",
                    "controller.listener.names=CONTROLLER",
                    f"log.dirs={data}",
                    "auto.create.topics.enable=false",
                    f"offsets.topic.replication.factor={self.copies}",
                    f"offsets.topic.num.partitions={OFFSETS_PARTITIONS}",
                    f"transaction.state.log.replication.factor={self.copies}",
                    f"transaction.state.log.min.isr={max(1, self.copies - 1)}",
                    "transaction.state.log.num.partitions=2",
                    "group.initial.rebalance.delay.ms=0",
                    *(self._security() if self.secured_port else ()),
                )
            )
        )
        self._format(path)
        return path

    def _place(self) -> tuple[str, ...]:
        """Return the settings that say which of the cluster's brokers this is."""
        return "node.id=1", f"controller.quorum.bootstrap.servers=127.0.0.1:{self.controller}"

    def _format(self, path: Path) -> None:
        """Prepare its folder."""
        self.format(path, "--cluster-id", new_id(), "--standalone")

    def format(self, path: Path, *options: str) -> None:
        """Prepare its folder with Kafka's own tool."""
        _run(
            "Kafka's StorageTool",
            *(self.java, *_QUICK_START, "-cp", self.classes),
            *("kafka.tools.StorageTool", "format"),
            *("-c", str(path), *options),
            *("--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
        )

    def _security(self) -> tuple[str, ...]:
        command = [program("openssl"), *CERTIFICATE.split()]
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True)
        pair = self.directory / "pair.pem"
        files = (self.directory / name for name in ("key.pem", "ca.pem"))
        pair.write_text("".join(file.read_text() for file in files))
        module, login = "org.apache.kafka.common.security", "sasl.jaas.config"
        listener, user = "listener.name.sasl_ssl", f'user_{USER}="{PASSWORD}"'
        return (
            f"listener.security.protocol.map={LISTENERS}",
            "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN",
            f"{listener}.scram-sha-512.{login}={module}.scram.ScramLoginModule required;",
            f"{listener}.plain.{login}={module}.plain.PlainLoginModule required {user};",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={pair}",
        )

    def start(self, *, wait: bool = True) -> Self:
        path = self.configure()
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self.java, "-Xmx256m", *self.java_options),
                    *("-cp", self.classes, "kafka.Kafka", str(path)),
                ],
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait_until_open()
        return self

    def wait_until_open(self) -> None:
        """Return when it takes connections at each of its ports: they open one after the other."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        for port in filter(None, (self.port, self.secured_port)):
            while not _is_open(port):
                if (
                    self._process is None
                    or self._process.poll() is not None
                    or time.monotonic() > deadline
                ):
                    raise RuntimeError((self.directory / "log").read_text()[-2000:])
                time.sleep(0.05)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
