"""The public address: nginx with TLS, and a certificate that ends when a drill wants it to."""

import signal
import subprocess
from pathlib import Path

from tests.drill.monitoring import Program
from tests.require import program
from tests.servers.nginx import TEMPORARY_FILES
from tests.servers.redis import free_port

_CONFIGURATION = (
    """
daemon off;
master_process on;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
"""
    + TEMPORARY_FILES
    + """    server {{
        listen 127.0.0.1:{port} ssl;
        server_name localhost;
        ssl_certificate {directory}/server.pem;
        ssl_certificate_key {directory}/server.key;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        location = /e {{ proxy_pass http://127.0.0.1:{ingest}; }}
        location / {{ proxy_pass http://127.0.0.1:{api}; }}
    }}
}}
"""
)


class PublicAddress:
    """https://localhost:port, in front of an ingest and an API."""

    def __init__(self, directory: Path, ingest: int, api: int) -> None:
        self._directory = directory
        self._openssl = program("openssl")
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.authority = directory / "authority.pem"
        directory.mkdir(parents=True)
        (directory / "nginx.conf").write_text(
            _CONFIGURATION.format(directory=directory, port=self.port, ingest=ingest, api=api)
        )
        self._make(
            "req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=Drill"
            " -keyout authority.key -out authority.pem"
        )
        self._make(
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out request"
        )
        (directory / "names").write_text("subjectAltName=DNS:localhost\n")
        self.sign(90)
        command = [program("nginx"), "-p", str(directory), "-c", str(directory / "nginx.conf")]
        self._nginx = Program(command, self.port, directory / "nginx.log")

    def start(self) -> None:
        self._nginx.start()

    def stop(self) -> None:
        # Its workers end with it, unless it is killed.
        self._nginx.stop(signal.SIGTERM)

    def sign(self, days: int) -> None:
        """Make a certificate that ends so many days from now."""
        self._make(
            "x509 -req -in request -CA authority.pem -CAkey authority.key -CAcreateserial"
            f" -extfile names -days {days} -out server.pem"
        )

    def renew(self, days: int) -> None:
        """Use a certificate that ends so many days from now."""
        self.sign(days)
        self._nginx.send(signal.SIGHUP)

    def _make(self, arguments: str) -> None:
        subprocess.run(
            [self._openssl, *arguments.split()],
            cwd=self._directory,
            check=True,
            capture_output=True,
        )
