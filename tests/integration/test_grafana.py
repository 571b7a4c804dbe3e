"""The account of Grafana, with the files that are shipped: it reads the views and nothing else."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ErrorCodes

from services.model.site import Site
from services.store.counts.counters import write
from services.store.drivers.threaded import ThreadedStore
from services.store.migrations import migrate, statements
from services.store.open import open_store
from services.store.records import sites
from tests.servers.clickhouse import DEPLOY, ClickHouseServer

FILES = DEPLOY / "grafana"
PASSWORD = "chỉ đọc"
DAYS = "SELECT site, path, views FROM {database}.traffic_by_day WHERE day >= '2026-07-01'"
SITE = Site(slug="mytho")
REFUSED = (
    ErrorCodes.READONLY,
    ErrorCodes.DATABASE_ACCESS_DENIED,
    ErrorCodes.MEMORY_LIMIT_EXCEEDED,
    ErrorCodes.UNKNOWN_TABLE,
)


def account(name: str) -> str:
    digest = sha256(PASSWORD.encode()).hexdigest()
    return (FILES / name).read_text("utf-8").replace("@grafana@", digest)


async def filled(url: str) -> None:
    store = open_store(url)
    await migrate(store)
    await sites.save(store, SITE, 1)
    await write(store, {(SITE.kept_as, "day", 20_635, "/a"): (12, 3, 1)})
    await store.insert("hits", {"site": [SITE.kept_as], "path": ["/a"], "visitor": [77]})
    await store.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    directory = tmp_path_factory.mktemp("clickhouse")
    (directory / "accounts").mkdir()
    # The accounts of the services are not needed here.
    (directory / "accounts" / "luot-rights.xml").write_text("<yandex></yandex>")
    (directory / "accounts" / "grafana.xml").write_text(account("debian-12.xml"), "utf-8")
    with ClickHouseServer(directory, accounts=directory / "accounts") as server:
        asyncio.run(filled(server.url))
        with Client("127.0.0.1", port=server.port) as owner:
            for _ in range(2):
                for statement in statements((FILES / "debian-12.sql").read_text("utf-8")):
                    owner.execute(statement)
        yield server


@pytest.fixture
def grafana(server: ClickHouseServer) -> Iterator[Client]:
    with Client("127.0.0.1", port=server.port, user="grafana_luot", password=PASSWORD) as client:
        yield client


def test_on_debians_server_grafana_reads_the_days(grafana: Client) -> None:
    assert grafana.execute(DAYS.format(database="grafana_luot")) == [("mytho", "/a", 12)]
    ((found,),) = grafana.execute("SELECT groupUniqArray(database) FROM system.tables")
    assert set(found) == {"grafana_luot", "system"}


@pytest.mark.parametrize(
    "refused",
    [
        "SELECT * FROM luot.hits",
        "SELECT * FROM luot.users",
        "SELECT * FROM luot.traffic_hits",
        "SELECT * FROM grafana_luot.visitors",
        "SELECT * FROM merge('luot', 'users')",
        "SELECT * FROM remote('127.0.0.1', 'luot', 'users')",
        "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
        "INSERT INTO grafana_luot.counters (site) VALUES ('x')",
        "INSERT INTO grafana_luot.nothing (nothing) VALUES (1)",
        "CREATE TABLE grafana_luot.x (a UInt8) ENGINE = Memory",
        "DROP TABLE grafana_luot.counters",
        "ALTER TABLE grafana_luot.counters DROP COLUMN views",
        "SET max_memory_usage = 0",
        "SET readonly = 0",
        "SELECT groupArray(number) FROM (SELECT number FROM system.numbers LIMIT 200000000)",
    ],
)
def test_on_debians_server_grafana_can_do_nothing_else(grafana: Client, refused: str) -> None:
    with pytest.raises(Error) as error:
        grafana.execute(refused)
    assert error.value.code in REFUSED


def test_on_debians_server_a_query_has_a_limit_of_time(grafana: Client) -> None:
    names = "'max_execution_time', 'max_memory_usage', 'readonly'"
    rows = grafana.execute(f"SELECT name, value FROM system.settings WHERE name IN ({names})")
    limits = {name: int(value) for name, value in rows}
    assert limits == {"max_execution_time": 30, "max_memory_usage": 402_653_184, "readonly": 1}


def test_the_statements_for_debian_are_those_of_the_store(tmp_path: Path) -> None:
    shipped = statements((FILES / "debian-12.sql").read_text("utf-8"))
    schema = Path(sys.modules[ThreadedStore.__module__].__file__ or "").parents[1] / "schema"
    (views,) = schema.glob("*_views.sql")
    made = [one for one in statements(views.read_text("utf-8")) if "hits FINAL" not in one]
    assert list(shipped[-len(made) :]) == made


_PROBE = """
import json, sys
import chdb

_, url, ran, probes = sys.argv
engine = chdb.connect(url)
for statement in json.loads(ran):
    engine.query(statement)
answers = {}
for probe in json.loads(probes):
    # A view with the account's rights is the account: the engine has no sign-in.
    engine.query("DROP VIEW IF EXISTS luot.probe")
    engine.query(
        "CREATE VIEW luot.probe DEFINER = grafana_luot SQL SECURITY DEFINER AS " + probe
    )
    try:
        answers[probe] = str(engine.query("SELECT * FROM luot.probe", "JSONCompactEachRow"))
    except RuntimeError as error:
        answers[probe] = str(error)
print(json.dumps(answers))
"""

_CONFIG = """<clickhouse>
    <user_directories><users_xml><path>{users}</path></users_xml></user_directories>
</clickhouse>
"""
_OWNER = """<users>
        <default>
            <password/><networks><ip>::/0</ip></networks>
            <profile>default</profile><quota>default</quota>
            <access_management>1</access_management>
        </default>
        <luot>
            <password/><networks><ip>::/0</ip></networks>
            <profile>default</profile><quota>default</quota>
            <grants><query>GRANT ALL ON luot.*</query></grants>
        </luot>"""


def test_on_a_current_engine_grafana_reads_both_views_and_no_table(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", _FILL, f"chdb://{tmp_path / 'store'}"], check=True, timeout=300
    )
    # The engine takes this constraint only with a setting that servers have and it has not.
    users, constraints = account("current.xml").split("<constraints>")
    users += constraints.split("</constraints>")[1]
    users = users.replace("<users>", _OWNER).replace(
        "<profiles>", "<quotas><default/></quotas><profiles><default/>"
    )
    (tmp_path / "users.xml").write_text(users, "utf-8")
    (tmp_path / "config.xml").write_text(_CONFIG.format(users=tmp_path / "users.xml"))

    days, hits = DAYS.format(database="luot"), "SELECT path, is_bot FROM luot.traffic_hits"
    tables = ("hits", "users", "tokens", "counters", "sites", "kept_sites")
    answers = probed(
        tmp_path,
        statements((FILES / "current.sql").read_text("utf-8")),
        [days, hits, *(f"SELECT * FROM luot.{table}" for table in tables)],
    )
    assert json.loads(answers.pop(days)) == ["mytho", "/a", 12]
    assert json.loads(answers.pop(hits)) == ["/a", 0]
    assert len(answers) == len(tables)
    assert all("ACCESS_DENIED" in answer for answer in answers.values())


_FILL = """
import asyncio, sys
from tests.integration.test_grafana import filled

asyncio.run(filled(sys.argv[1]))
"""


def probed(folder: Path, ran: Any, probes: list[str]) -> dict[str, str]:
    url = f"{folder / 'store'}?config-file={folder / 'config.xml'}"
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, url, json.dumps(ran), json.dumps(probes)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    answers: dict[str, str] = json.loads(done.stdout)
    return answers
