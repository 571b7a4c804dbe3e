"""A real Prometheus and what it scrapes beside Luot, with the configuration that is shipped."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from tests.require import program
from tests.servers.nginx import TEMPORARY_FILES
from tests.servers.redis import free_port

DEPLOY = Path(__file__).parents[2] / "deploy" / "monitoring"


class Watcher:
    """A program that serves HTTP, on a free port of the loopback interface."""

    def __init__(self, directory: Path, command: Sequence[str], ready: str, **environ: str) -> None:
        """`PORT` in the command is its port; at the address `ready` it answers once it is."""
        self.port = 0
        self._command = command
        self._log = directory / f"{Path(command[0]).name}.log"
        self._ready = ready
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def configure(self) -> None:
        """Write what the program reads, once its port is known."""

    def __enter__(self) -> Self:
        # A port that was free may be another's by the time the program listens.
        for _ in range(5):
            self.port = free_port()
            self.configure()
            self._start()
            if self._wait_until_ready():
                return self
            self.__exit__()
        raise RuntimeError(f"{self._command[0]} does not answer:\n{self._log.read_text()}")

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [part.replace("PORT", str(self.port)) for part in self._command],
                cwd=self._log.parent,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environ},
            )

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answers = self._answers()
            # Whoever answers while this program has ended is another one.
            if self._process is None or self._process.poll() is not None:
                return False
            if answers:
                return True
            time.sleep(0.05)
        return False

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(120)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}{self._ready}", verify=False).is_success
        except httpx.TransportError:
            return False


class Prometheus(Watcher):
    """Does what deploy/monitoring/prometheus.yml says, every few seconds."""

    def __init__(self, directory: Path, targets: Mapping[str, str]) -> None:
        """`targets` are the addresses of the jobs; Prometheus watches itself, too."""
        super().__init__(
            directory,
            [
                program("prometheus"),
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'prometheus'}",
                "--web.listen-address=127.0.0.1:PORT",
                "--log.level=warn",
            ],
            "/-/ready",
        )
        self._configuration = directory / "prometheus.yml"
        self._targets = targets
        self._http: httpx.Client | None = None

    def configure(self) -> None:
        """Write the configuration, with itself among the targets."""
        targets = {**self._targets, "prometheus": self.address}
        self._configuration.write_text(yaml.safe_dump(_configuration(targets)))

    def __exit__(self, *error: object) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None
        super().__exit__(*error)

    def values(self, expression: str) -> list[float]:
        """Return the values of an expression at this moment, one a series, NaN left out."""
        data = self._ask("/api/v1/query", query=expression)
        result = [data["result"]] if data["resultType"] == "scalar" else data["result"]
        samples = (one["value"] if isinstance(one, dict) else one for one in result)
        return [number for _, text in samples if not math.isnan(number := float(text))]

    def label_values(self, selector: str, label: str) -> list[str]:
        """Return the values of a label in what a selector finds."""
        found: list[str] = self._ask(f"/api/v1/label/{label}/values", **{"match[]": selector})
        return found

    def _ask(self, path: str, **parameters: str) -> Any:
        if self._http is None:
            self._http = httpx.Client(base_url=self.url, timeout=60, verify=False)
        answer = self._http.get(path, params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]


def _configuration(targets: Mapping[str, str]) -> dict[str, Any]:
    shipped: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    shipped["global"] |= {
        "scrape_interval": "3s",
        "scrape_timeout": "3s",
        "evaluation_interval": "1s",
    }
    shipped["rule_files"] = [str(DEPLOY / name) for name in shipped["rule_files"]]
    shipped["alerting"]["alertmanagers"] = [
        {"static_configs": [{"targets": [targets["alertmanager"]]}]}
    ]
    for job in shipped["scrape_configs"]:
        # What this test does not run is scraped in vain, as by an operator who has it not.
        nobody = f"127.0.0.1:{free_port()}"
        if job["job_name"] == "blackbox":
            job |= {"scrape_interval": "3s"}
            job["static_configs"] = [{"targets": [targets["public"]]}]
            job["relabel_configs"][-1]["replacement"] = targets["blackbox"]
        else:
            job["static_configs"] = [{"targets": [targets.get(job["job_name"], nobody)]}]
    return shipped


def redis_exporter(directory: Path, redis: str) -> Watcher:
    return Watcher(
        directory,
        [
            program("prometheus-redis-exporter"),
            f"-redis.addr={redis}",
            "-web.listen-address=127.0.0.1:PORT",
        ],
        "/health",
    )


def node_exporter(directory: Path) -> Watcher:
    return Watcher(
        directory,
        [program("prometheus-node-exporter"), "--web.listen-address=127.0.0.1:PORT"],
        "/",
    )


def alertmanager(directory: Path) -> Watcher:
    return Watcher(
        directory,
        [
            program("prometheus-alertmanager"),
            f"--config.file={DEPLOY / 'alertmanager.yml'}",
            f"--storage.path={directory / 'alertmanager'}",
            "--web.listen-address=127.0.0.1:PORT",
            "--cluster.listen-address=",
        ],
        "/-/ready",
    )


def blackbox_exporter(directory: Path, authority: Path) -> Watcher:
    """Return one that also believes the certificates of an authority of the test's own."""
    shipped = yaml.safe_load((DEPLOY / "blackbox.yml").read_text("utf-8"))
    shipped["modules"]["public"]["http"]["tls_config"] = {"ca_file": str(authority)}
    (directory / "blackbox.yml").write_text(yaml.safe_dump(shipped))
    return Watcher(
        directory,
        [
            program("prometheus-blackbox-exporter"),
            f"--config.file={directory / 'blackbox.yml'}",
            "--web.listen-address=127.0.0.1:PORT",
        ],
        "/-/healthy",
    )


def probe(directory: Path, url: str, site: str, authority: Path) -> Watcher:
    """Return `luot probe`, which sends a hit a second."""
    return Watcher(
        directory,
        [
            *(sys.executable, "-m", "services.cli.main", "probe"),
            *("--url", url, "--site", site, "--every", "1", "--port", "PORT"),
        ],
        "/healthz",
        PYTHONPATH=str(DEPLOY.parents[1]),
        SSL_CERT_FILE=str(authority),
    )


_PUBLIC = (
    """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
"""
    + TEMPORARY_FILES
    + """    server {{
        listen 127.0.0.1:{plain};
        location / {{ return 204; }}
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {directory}/certificate.pem;
        ssl_certificate_key {directory}/key.pem;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        location = /e {{ proxy_pass {ingest}; }}
        location / {{ proxy_pass {api}; }}
    }}
}}
"""
)


class PublicAddress(Watcher):
    """A web server with TLS in front of ingest and API, as readers reach them."""

    def __init__(self, directory: Path, ingest: str, api: str) -> None:
        self.certificate = directory / "certificate.pem"
        subprocess.run(
            [
                *(program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
                *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-days", "90", "-out", str(self.certificate)),
                *("-keyout", str(directory / "key.pem")),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
        self._directory = directory
        self._behind = {"ingest": ingest, "api": api}
        self._configuration = directory / "nginx.conf"
        super().__init__(directory, [program("nginx"), "-c", str(self._configuration)], "/")

    def configure(self) -> None:
        """Write the configuration."""
        port = free_port()
        self.public_url = f"https://127.0.0.1:{port}"
        text = _PUBLIC.format(directory=self._directory, plain=self.port, port=port, **self._behind)
        self._configuration.write_text(text)
