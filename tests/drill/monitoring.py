"""A real Prometheus and a real Alertmanager with what is shipped, only faster, and exporters."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import yaml

from tests.drill.scale import MONITORING, scaled, shipped, shorter
from tests.drill.webhook import Webhook
from tests.patience import PATIENCE_SECONDS
from tests.require import program
from tests.servers.redis import free_port


class Program:
    """A program that answers on a port; frozen, killed and started again, it has the same one."""

    def __init__(
        self, command: Sequence[str], port: int, log: Path, *, ready: str = "", **environ: str
    ) -> None:
        """`ready` is the path at which it answers 200 only once it can do its work."""
        self.port = port
        self._ready = ready
        self.target = f"127.0.0.1:{port}"
        self._command = list(command)
        self._log = log
        self._environ = {**os.environ, **environ}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environ, cwd=self._log.parent
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if self._ready:
                    httpx.get(f"http://{self.target}{self._ready}").raise_for_status()
                else:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
            except (OSError, httpx.HTTPError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = self._log.read_text(errors="replace")[-3000:]
                    raise RuntimeError(f"{self._command[0]} does not start:\n{said}") from None
                time.sleep(0.05)
            else:
                return

    def send(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None


class Monitoring:
    """Scrapes the targets given by job, and tells a webhook."""

    def __init__(
        self,
        directory: Path,
        targets: Mapping[str, Sequence[str]],
        factor: float,
        *,
        redis: str,
        trusted: Path,
    ) -> None:
        self.factor = factor
        self.webhook = Webhook()
        self._directory = directory
        self._targets = dict(targets)
        directory.mkdir(parents=True)
        ports = [free_port() for _ in range(4)]
        self.blackbox = Program(
            [
                program("prometheus-blackbox-exporter"),
                f"--config.file={MONITORING / 'blackbox.yml'}",
                f"--web.listen-address=127.0.0.1:{ports[0]}",
            ],
            ports[0],
            directory / "blackbox.log",
            SSL_CERT_FILE=str(trusted),
        )
        self.redis_exporter = Program(
            [
                program("prometheus-redis-exporter"),
                f"-redis.addr={redis}",
                f"-web.listen-address=127.0.0.1:{ports[1]}",
            ],
            ports[1],
            directory / "redis-exporter.log",
        )
        self.alertmanager = Program(
            [
                program("prometheus-alertmanager"),
                f"--config.file={directory / 'alertmanager.yml'}",
                f"--storage.path={directory / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{ports[2]}",
                "--cluster.listen-address=",
            ],
            ports[2],
            directory / "alertmanager.log",
            ready="/-/ready",
        )
        self.prometheus = Program(
            [
                program("prometheus"),
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{ports[3]}",
                # These times have no place in the configuration; what is written are the defaults.
                f"--query.lookback-delta={shorter('5m', factor)}",
                f"--rules.alert.resend-delay={shorter('1m', factor)}",
            ],
            ports[3],
            directory / "prometheus.log",
            ready="/-/ready",
        )
        self._all = (self.blackbox, self.redis_exporter, self.alertmanager, self.prometheus)

    def start(self) -> None:
        self._configure()
        self.webhook.start()
        for one in self._all:
            one.start()

    def stop(self) -> None:
        for one in reversed(self._all):
            one.stop()
        self.webhook.stop()

    def _configure(self) -> None:
        rules = self._directory / "rules"
        rules.mkdir()
        for path in (MONITORING / "rules").glob("*.yml"):
            faster = scaled(shipped(f"rules/{path.name}"), self.factor)
            (rules / path.name).write_text(yaml.safe_dump(faster, sort_keys=False))
        configuration = scaled(shipped("prometheus.yml"), self.factor)
        # A busy machine is not a fault: a scrape may take as long as there is until the next one.
        configuration["global"].pop("scrape_timeout")
        targets = {
            **self._targets,
            "redis": [self.redis_exporter.target],
            "prometheus": [self.prometheus.target],
            "alertmanager": [self.alertmanager.target],
        }
        for job in configuration["scrape_configs"]:
            # The blackbox exporter takes half a second off what it is told.
            job["scrape_timeout"] = job.get(
                "scrape_interval", configuration["global"]["scrape_interval"]
            )
            job["static_configs"] = [{"targets": list(targets[job["job_name"]])}]
            for relabel in job.get("relabel_configs", ()):
                if relabel["target_label"] == "__address__":
                    relabel["replacement"] = self.blackbox.target
        for manager in configuration["alerting"]["alertmanagers"]:
            manager["static_configs"] = [{"targets": [self.alertmanager.target]}]
        (self._directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))

        routing = scaled(shipped("alertmanager.yml"), self.factor)
        for receiver in routing["receivers"]:
            for hook in receiver["webhook_configs"]:
                hook["url"] = f"{self.webhook.url}/{hook['url'].rpartition('/')[2]}"
        (self._directory / "alertmanager.yml").write_text(yaml.safe_dump(routing))
