"""A real load balancer in front of several ingests."""

import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.patience import PATIENCE_SECONDS
from tests.require import program
from tests.servers.redis import free_port

TEMPORARY_FILES = """\
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
"""
"""Lines of `http` that keep what nginx writes in its {directory}."""
# A connection error is tried again on the other server, also for a POST: an ingest that stops in
# good order answers every request it has taken, so what fails was never taken.
_CONFIGURATION = (
    """
daemon off;
master_process off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
"""
    + TEMPORARY_FILES
    + """    upstream ingest {{
        {servers}
    }}
    {http}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://ingest;
            proxy_next_upstream error timeout non_idempotent;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $http_x_forwarded_for;
            {location}
        }}
    }}
}}
"""
)


class Nginx:
    """Balances one port over several; a server that refuses is tried again at once."""

    def __init__(
        self, directory: Path, ports: list[int], http: str = "", location: str = ""
    ) -> None:
        """`http` and `location` are more lines of these blocks."""
        self.program = program("nginx")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self._ports = ports
        self._more = {"http": http, "location": location}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Nginx":
        self._directory.mkdir(parents=True, exist_ok=True)
        servers = "\n        ".join(f"server 127.0.0.1:{port} max_fails=0;" for port in self._ports)
        configuration = self._directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                directory=self._directory, port=self.port, servers=servers, **self._more
            )
        )
        self._process = subprocess.Popen(
            [self.program, "-p", str(self._directory), "-c", str(configuration)],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    log = (self._directory / "error.log").read_text()
                    raise RuntimeError(f"nginx does not start:\n{log}") from None
                time.sleep(0.02)
            else:
                return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(120)
            self._process = None
