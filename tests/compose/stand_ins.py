"""Images in place of those that docker-compose.yml names, where no registry can be asked.

All are one Debian 12 by debootstrap: its Python, Redis, ClickHouse and nginx. They have tags of
their own, and the names under which Compose takes them are in its variables.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.compose.daemon import Daemon

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "stand-ins.tar"
"""Debian as debootstrap made it: remove it to have it made again."""
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    *("ca-certificates", "curl", "openssl", "wget"),
    *("python3", "python3-venv", "gcc", "libc6-dev", "redis-server", "nginx-light"),
    *("clickhouse-server", "clickhouse-client"),
)
BASE = "luot-stand-in/base:12"
IMAGES = {
    "PYTHON_IMAGE": (
        "luot-stand-in/python:3.11.2",
        "COPY machine /\nENV {environ}\nRUN ln -sf python3 /usr/bin/python\n",
    ),
    "VALKEY_IMAGE": (
        "luot-stand-in/valkey:7.0.15",
        (
            "RUN cd /usr/bin && ln -s redis-server valkey-server && ln -s redis-cli valkey-cli\n"
            "RUN install -d -o 999 -g 999 /data\nWORKDIR /data\n"
        ),
    ),
    "CLICKHOUSE_IMAGE": (
        "luot-stand-in/clickhouse:18.16.1",
        (
            "RUN chown -R 101:101 /var/lib/clickhouse /var/log/clickhouse-server\nUSER 101:101\n"
            'ENTRYPOINT ["clickhouse-server", "--config-file=/etc/clickhouse-server/config.xml"]\n'
        ),
    ),
    "NGINX_IMAGE": ("luot-stand-in/nginx:1.22.1", ""),
}
# How packages are found from where the test runs belongs to the machine, not to the project.
_MACHINE_FILES = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
_MACHINE_VARIABLES = ("PIP_", "SSL_CERT_", "REQUESTS_CA_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def build(daemon: Daemon) -> dict[str, str]:
    """Build all of them; return the variables that make Compose take them."""
    if daemon.docker("image", "inspect", BASE, check=False).returncode != 0:
        if not KEPT.exists():
            _debian()
        daemon.docker("import", str(KEPT), BASE)
    with tempfile.TemporaryDirectory() as context:
        machine = Path(context) / "machine"
        for file in map(Path, _MACHINE_FILES):
            if file.exists():
                copy = machine / file.relative_to("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
        machine.mkdir(exist_ok=True)
        environ = {
            name: value
            for name, value in os.environ.items()
            if name.upper().startswith(_MACHINE_VARIABLES) and name != "PIP_FIND_LINKS"
        }
        shown = " ".join(f'{name}="{value}"' for name, value in environ.items())
        for tag, lines in IMAGES.values():
            text = f"FROM {BASE}\n{lines.format(environ=shown or 'LANG=C.UTF-8')}"
            (Path(context) / "Dockerfile").write_text(text)
            daemon.docker("build", "-q", "-t", tag, context)
    return {variable: tag for variable, (tag, _) in IMAGES.items()}


def _debian() -> None:
    KEPT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT.parent) as folder:
        root = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        subprocess.run([*command, "bookworm", root, MIRROR], check=True, capture_output=True)
        for waste in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(root / waste, ignore_errors=True)
        part = KEPT.with_suffix(".part")
        subprocess.run(["tar", "-C", root, "-cf", part, "."], check=True)
        part.rename(KEPT)
