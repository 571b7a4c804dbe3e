"""What is shipped to run Luot with, without containers, fits the code and itself."""

import re
import subprocess
from pathlib import Path

from services.api.settings import ApiSettings
from services.ingest.app import PATHS
from services.ingest.settings import IngestSettings
from services.store import erasures
from tests.require import program

ROOT = Path(__file__).parents[2]
NGINX = (ROOT / "deploy/nginx/luot.conf").read_text("utf-8")
CADDY = (ROOT / "deploy/caddy/Caddyfile").read_text("utf-8")


def test_web_servers_send_hits_to_ingest_and_the_rest_to_the_api() -> None:
    located = re.findall(r"location = (\S+)\s*{ .*proxy_pass http://luot_ingest; }", NGINX)
    matched = re.search(r"@hits path (.+)", CADDY)
    assert matched
    assert set(located) == set(matched[1].split()) == PATHS
    ingest, api = IngestSettings.default_port, ApiSettings.default_port
    # Two of each behind nginx, as docs/install.md starts them.
    for text, expected in ((NGINX, [ingest, 8011, api, 8012]), (CADDY, [ingest, api])):
        ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)]
        assert ports == expected


def test_nginx_understands_its_file(tmp_path: Path) -> None:
    nginx = program("nginx")
    request = "req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout privkey.pem -out fullchain.pem"
    openssl = [program("openssl"), *request.split()]
    subprocess.run(openssl, cwd=tmp_path, check=True, capture_output=True)
    site = tmp_path / "luot.conf"
    site.write_text(NGINX.replace("/etc/ssl/thongke.example.vn", str(tmp_path)))
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid; events {{}} http {{ include {site}; }}")
    done = subprocess.run(
        [nginx, "-t", "-e", "stderr", "-p", tmp_path, "-c", main], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_table_may_be_written_and_cleared_by_the_account_whose_service_does() -> None:
    schema = (ROOT / "services/store/schema").glob("*.sql")
    made = "".join(one.read_text("utf-8") for one in schema)
    rights = (ROOT / "deploy/clickhouse/current/users.d/luot-rights.xml").read_text("utf-8")
    accounts = {
        name: set(re.findall(r"GRANT ([A-Z ]+) ON luot\.(\w+)", of_account))
        for name, of_account in re.findall(
            r"<luot_(aggregator|api)>(.*?)</luot_\1>", rights, re.DOTALL
        )
    }
    tables = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", made))
    anybody = accounts["aggregator"] | accounts["api"]
    assert tables - {table for right, table in anybody if right == "INSERT"} == set()
    cleared = {table for right, table in accounts["aggregator"] if right == "ALTER DELETE"}
    assert set(erasures.TABLES) - cleared == set()
