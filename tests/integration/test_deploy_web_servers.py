"""nginx and Caddy understand the files that are shipped for them."""

import subprocess
from pathlib import Path

from tests.require import program
from tests.unit.compose_file import DEPLOY, made


def test_caddy_understands_its_file() -> None:
    caddy, file = program("caddy"), DEPLOY / "caddy/Caddyfile"
    done = subprocess.run(
        [caddy, "adapt", "--validate", "--adapter", "caddyfile", "--config", file],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_nginx_understands_its_file(tmp_path: Path) -> None:
    nginx = program("nginx")
    request = "req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout privkey.pem -out fullchain.pem"
    openssl = [program("openssl"), *request.split()]
    subprocess.run(openssl, cwd=tmp_path, check=True, capture_output=True)
    site = tmp_path / "luot.conf"
    shipped = (DEPLOY / "nginx/luot.conf").read_text("utf-8")
    site.write_text(shipped.replace("/etc/ssl/thongke.example.vn", str(tmp_path)))
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid; events {{}} http {{ include {site}; }}")
    done = subprocess.run(
        [nginx, "-t", "-e", "stderr", "-p", tmp_path, "-c", main], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_proxy_of_compose_understands_its_files(tmp_path: Path) -> None:
    nginx = program("nginx")
    secrets = tmp_path / "secrets"
    made(secrets)
    text = (DEPLOY / "nginx/compose/nginx.conf").read_text("utf-8")
    for there, here in (
        ("/tmp/", f"{tmp_path}/"),
        ("/run/luot", str(secrets / "proxy")),
        ("/etc/luot", str(DEPLOY / "nginx/compose")),
        ("server ingest-", "server 127.0.0."),
        ("server api-", "server 127.0.0."),
        (".front:", ":"),
    ):
        text = text.replace(there, here)
    (tmp_path / "nginx.conf").write_text(text)
    command = [nginx, "-t", "-q", "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
