"""The rights of the accounts on a cluster are those on a single server, for the tables there.

After a change of rights, `python -m tests.unit.test_deploy_clickhouse_rights` writes them again.
"""

import re
import subprocess
import sys
from pathlib import Path

from services.store.cluster.shards import OF_ALL_SITES, Shards
from tests.require import package

FOLDER = Path(__file__).parents[2] / "deploy/clickhouse"
SINGLE = FOLDER / "current/users.d/luot-rights.xml"
MADE = FOLDER / "cluster/users.d/luot-rights.xml"
SHARDS = Shards("luot", "luot")
HEAD = """\
<?xml version="1.0"?>
<!-- What the accounts of accounts.xml may do on a cluster, in place of the file of this name for a
     single server. Made from it by `python -m tests.unit.test_deploy_clickhouse_rights`. -->
"""
# What is read of all servers at once, and which there are.
OF_SERVERS = ("GRANT REMOTE, CREATE TEMPORARY TABLE ON *.*",)
MORE = {
    "luot": (*OF_SERVERS, "GRANT CLUSTER ON *.*"),
    "luot_aggregator": (*OF_SERVERS, "GRANT SELECT ON system.clusters"),
    # Its backup and its doctor read every server as an aggregator does.
    "luot_api": (
        *OF_SERVERS,
        *(
            f"GRANT SELECT ON system.{table}"
            for table in ("clusters", "columns", "replicas", "replication_queue", "zookeeper")
        ),
    ),
}
_GRANT = re.compile(r"GRANT (?P<right>[A-Z ]+) ON luot\.(?P<table>\w+)")


def on_cluster(grant: str) -> list[str]:
    """Return the grants on a cluster for one on a single server."""
    match = _GRANT.fullmatch(grant)
    if match is None or match["table"] in OF_ALL_SITES:
        return [grant]
    local = f"GRANT {match['right']} ON luot.{SHARDS.stored(match['table'])}"
    # A `Distributed` table takes rows, and nothing else that changes any.
    return [grant, local] if match["right"] == "INSERT" else [local]


def made() -> str:
    """Return the file for a cluster."""
    lines: list[str] = []
    account = ""
    for line in SINGLE.read_text("utf-8").partition("-->\n")[2].splitlines():
        if match := re.fullmatch(r" *<query>(.+)</query>", line):
            indent = line[: line.index("<")]
            lines += [f"{indent}<query>{grant}</query>" for grant in on_cluster(match[1])]
            continue
        if match := re.fullmatch(r" *<(luot\w*)>", line):
            account = match[1]
        if line.strip() == "</grants>":
            lines += [f"                <query>{grant}</query>" for grant in MORE[account]]
        lines.append(line)
    return HEAD + "\n".join([*lines, ""])


def test_the_rights_on_a_cluster_are_those_on_one_server() -> None:
    told = "run `python -m tests.unit.test_deploy_clickhouse_rights`"
    assert MADE.read_text("utf-8") == made(), told


def test_rows_of_sites_are_written_and_deleted_where_they_are() -> None:
    of_sites = on_cluster("GRANT INSERT ON luot.hits")
    assert of_sites == ["GRANT INSERT ON luot.hits", "GRANT INSERT ON luot.hits_local"]
    assert on_cluster("GRANT ALTER DELETE ON luot.hits") == [
        "GRANT ALTER DELETE ON luot.hits_local"
    ]
    assert on_cluster("GRANT INSERT ON luot.meta") == ["GRANT INSERT ON luot.meta"]
    assert on_cluster("GRANT SELECT, SHOW ON luot.*") == ["GRANT SELECT, SHOW ON luot.*"]


def test_who_reads_every_server_may_read_what_servers_tell_of_themselves() -> None:
    store = Path(__file__).parents[2] / "services/store"
    code = "".join(module.read_text("utf-8") for module in store.rglob("*.py"))
    read = set(re.findall(r"""(?:FROM system\.|\.system\(["'])(\w+)""", code))
    assert {"replicas", "replication_queue", "zookeeper", "clusters"} < read
    may = {
        account: set(re.findall(r"GRANT SELECT ON system\.(\w+)", grants))
        for account, grants in re.findall(
            r"<(luot_\w+)>(.*?)</\1>", MADE.read_text("utf-8"), re.DOTALL
        )
    }
    # Macros are read before tables are made, as `luot`; mutations by whoever erases; what follows
    # by the doctor, the gauges and the backup of the API.
    assert read - may["luot_api"] == {"macros", "mutations"}
    assert read - may["luot_aggregator"] == {"macros", "columns", "disks", "tables"}
    assert (may["luot_api"] | may["luot_aggregator"]) - read == set()


def test_a_current_engine_reads_every_grant() -> None:
    package("chdb")
    grants = re.findall(r"<query>(.+)</query>", MADE.read_text("utf-8"))
    listed = ", ".join(f"'{grant} TO somebody'" for grant in grants)
    # One that is wrong is an error; the sum keeps the engine from leaving the texts unread.
    query = f"SELECT sum(length(formatQuerySingleLine(arrayJoin([{listed}]))) > 0)"
    read = "import sys, chdb; print(chdb.query(sys.argv[1], 'TSV'))"
    done = subprocess.run([sys.executable, "-c", read, query], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(len(grants))), done.stderr


if __name__ == "__main__":
    MADE.write_text(made(), "utf-8")
