"""A copy of what docker-compose.yml needs, in a folder of its own, as an operator has it."""

import shutil
import subprocess
import time
from pathlib import Path

import yaml

from tests.attack.limits import UNITS
from tests.compose.daemon import Daemon
from tests.compose.visitors import NAME
from tests.servers.redis import free_port

ROOT = Path(__file__).parents[2]
# Of the network of the test, so that it can stand beside a Luot of this machine.
FRONT = "10.83.99"
PROJECT = "luot-compose-test"


class Project:
    """Started with `up`, ended with `down`."""

    def __init__(self, daemon: Daemon, folder: Path, images: dict[str, str], nofile: int) -> None:
        self.daemon = daemon
        self.folder = folder
        self.port = free_port()
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        for name in listed:
            if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        settings = {
            **images,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "PUBLIC_HOST": NAME,
            "HTTP_PORT": f"127.0.0.1:{free_port()}",
            "HTTPS_PORT": f"127.0.0.1:{self.port}",
            "FRONT_NETWORK": FRONT,
            "NOFILE": str(nofile),
            "CLICKHOUSE_FILES": "debian-12",
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        (folder / ".env").write_text("\n".join([*lines, ""]))
        # As with a web server in front: the visitors of the test are at many addresses.
        proxy = folder / "deploy/secrets/proxy"
        proxy.mkdir(parents=True)
        front = f"set_real_ip_from {FRONT}.1;\nreal_ip_header X-Forwarded-For;\n"
        (proxy / "front.conf").write_text(front)
        with (folder / "docker-compose.yml").open() as file:
            self.services = yaml.safe_load(file)["services"]

    @property
    def certificate(self) -> Path:
        return self.folder / "deploy/secrets/proxy/fullchain.pem"

    def limits(self) -> dict[str, int]:
        """Return how much memory each container may have, in bytes."""
        return {
            name: int(service["mem_limit"][:-1]) * UNITS[service["mem_limit"][-1]]
            for name, service in self.services.items()
        }

    def compose(self, *words: str, check: bool = True) -> str:
        """Run a command of Compose; return what it prints."""
        return self.daemon.run("docker-compose", *words, cwd=self.folder, check=check).stdout

    def script(self, name: str, **environ: str) -> str:
        """Run one of the scripts in deploy/; return what it prints."""
        return self.daemon.run(f"deploy/{name}", cwd=self.folder, environ=environ).stdout

    def build(self) -> int:
        """Build the image, with the network of the machine; return the bytes added to its base."""
        tag = self.services["setup"]["image"]
        python = dict(
            line.split("=", 1) for line in (self.folder / ".env").read_text().splitlines()
        )["PYTHON_IMAGE"]
        self.daemon.docker(
            *("build", "-q", "--network", "host", "--build-arg", f"PYTHON_IMAGE={python}"),
            *("-t", tag, str(self.folder)),
        )
        with_base, base = (
            int(self.daemon.docker("image", "inspect", "-f", "{{.Size}}", name).stdout)
            for name in (tag, python)
        )
        return with_base - base

    def running(self) -> dict[str, str]:
        """Return the containers that run, by service."""
        shown = self.daemon.docker(
            "ps",
            *("--filter", f"label=com.docker.compose.project={PROJECT}"),
            *("--filter", "label=com.docker.compose.oneoff=False"),
            *("--format", '{{.Label "com.docker.compose.service"}} {{.ID}}'),
        )
        return dict(line.split() for line in shown.stdout.splitlines())

    def wait_until_ready(self, seconds: float = 180) -> None:
        """Return when every container that serves says that it is ready."""
        deadline = time.monotonic() + seconds
        waiting = {
            name: service["healthcheck"]["test"]
            for name, service in self.services.items()
            if "test" in service.get("healthcheck", {}) and "profiles" not in service
        }
        while waiting:
            for name, (kind, *command) in list(waiting.items()):
                asked = ["sh", "-c", *command] if kind == "CMD-SHELL" else command
                container = self.running().get(name, "")
                if (
                    container
                    and self.daemon.docker("exec", container, *asked, check=False).returncode == 0
                ):
                    del waiting[name]
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"not ready: {', '.join(waiting)}\n{self.compose('logs', '--tail=20')}"
                )
            time.sleep(0.2)

    def down(self) -> None:
        """End it, with everything that it kept."""
        self.compose("--profile", "tools", "down", "-v", "--remove-orphans", check=False)
