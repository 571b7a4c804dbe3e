"""The accounts of Redis and ClickHouse that are shipped, for the servers of a test."""

import os
import subprocess
from pathlib import Path

from tests.require import program

MAKE = Path(__file__).parents[2] / "deploy" / "make-secrets"
EVERYTHING = "user default on nopass ~* &* +@all"
"""What a Redis without accounts has. The tests themselves look at everything."""


class Accounts:
    """Made by deploy/make-secrets: services sign in as they do in docker-compose.yml."""

    def __init__(self, directory: Path) -> None:
        program("openssl")
        self._folder = directory / "secrets"
        self._folder.mkdir(parents=True)
        subprocess.run(
            [MAKE, self._folder],
            check=True,
            capture_output=True,
            env={**os.environ, "CLICKHOUSE_FILES": "debian-12"},
        )
        self.clickhouse = self._folder / "clickhouse" / "users.d"
        self.shipped_acl = self._folder / "redis" / "users.acl"
        shipped = self.shipped_acl.read_text("utf-8").splitlines()
        assert sum(line.startswith("user default ") for line in shipped) == 1
        self.acl = directory / "users.acl"
        lines = [EVERYTHING if line.startswith("user default ") else line for line in shipped]
        self.acl.write_text("\n".join([*lines, ""]))
        self.redis_options = ("--aclfile", str(self.acl))

    def password(self, role: str) -> str:
        """Return the password of ingest, aggregator, api, luot, exporter or admin."""
        return (self._folder / "passwords" / role).read_text("utf-8").strip()

    def redis_url(self, role: str, port: int) -> str:
        """Return the address of a Redis for one of them."""
        return self._address(f"{role}/redis_url", "redis:6379", port)

    def clickhouse_url(self, role: str, port: int) -> str:
        """Return the address of a ClickHouse for one of them; ingest has none."""
        return self._address(f"{role}/clickhouse_url", "clickhouse:9000", port)

    def _address(self, name: str, host: str, port: int) -> str:
        shipped = (self._folder / name).read_text("utf-8").strip()
        assert host in shipped
        return shipped.replace(host, f"127.0.0.1:{port}")
