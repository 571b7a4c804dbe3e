"""What is shipped to run Luot with, without containers, fits the code and itself."""

import re
from pathlib import Path

from services.api.dashboard.requests.forms import MAX_FILE_BYTES
from services.api.settings import ApiSettings
from services.ingest.app import PATHS
from services.ingest.http import MAX_SENT_BODY
from services.ingest.settings import IngestSettings
from services.store.counts import erasures

ROOT = Path(__file__).parents[2]
NGINX = (ROOT / "deploy/nginx/luot.conf").read_text("utf-8")
CADDY = (ROOT / "deploy/caddy/Caddyfile").read_text("utf-8")
UNITS = {"k": 1 << 10, "K": 1 << 10, "m": 1 << 20, "M": 1 << 20}


def test_web_servers_send_hits_to_ingest_and_the_rest_to_the_api() -> None:
    located = re.findall(r"location = (\S+)\s*{ .*proxy_pass http://luot_ingest; }", NGINX)
    matched = re.search(r"@hits path (.+)", CADDY)
    assert matched
    assert set(located) == set(matched[1].split()) == PATHS
    ingest, api = IngestSettings.default_port, ApiSettings.default_port
    # Two of each, as docs/install.md starts them.
    for text in (NGINX, CADDY):
        ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)]
        assert ports == [ingest, 8011, api, 8012]


def test_web_servers_take_bodies_as_large_as_ingest_and_the_api_do() -> None:
    nginx = {
        route: int(size[:-1]) * UNITS[size[-1]]
        for route, size in re.findall(
            r"location (?:= |\^~ )(\S+)\s*{ client_max_body_size (\w+);", NGINX
        )
    }
    caddy = {
        matched: int(size) * UNITS[unit]
        for matched, size, unit in re.findall(
            r"handle (@\w+) {[^}]+?max_size (\d+)(\w)", CADDY, re.DOTALL
        )
    }
    for size in (nginx["/e"], nginx["/api/event"], caddy["@hits"]):
        assert size >= MAX_SENT_BODY
    for size in (nginx["/admin/sites/"], nginx["/api/admin/sites/"], caddy["@files"]):
        assert size >= MAX_FILE_BYTES


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
