"""What the statements of one server become on a cluster, and that they stay without one."""

import re

import pytest

from services.log.written_number import partition_and_shard, written_number
from services.store.cluster.layout import ShardLayout
from services.store.cluster.shards import OF_ALL_SITES, Shards
from services.store.drivers.address import Address
from services.store.drivers.clickhouse import ClickHouseStore
from services.store.interface import Ddl
from services.store.migrations import migrations

SCHEMA = [statement for one in migrations() for statement in one.statements]
SHARDS = Shards("luot", "stats")
COLUMNS = "(\n    site String,\n    views UInt64\n)"


def test_without_a_cluster_every_statement_stays_as_it_is() -> None:
    store = ClickHouseStore("clickhouse://127.0.0.1/luot")
    assert [store.ddl(statement) for statement in SCHEMA] == [(Ddl(one),) for one in SCHEMA]
    drop = "ALTER TABLE hits DROP PARTITION 202611"
    assert store.ddl(drop) == (Ddl(drop),)
    assert (store.stored("hits"), store.shown("hits_local")) == ("hits", "hits_local")
    assert store.system("parts") == "system.parts"


def test_every_table_is_of_all_sites_or_has_a_site() -> None:
    made = {
        name: "\n    site String" in columns
        for statement in SCHEMA
        for name, columns in re.findall(
            r"CREATE TABLE IF NOT EXISTS (\w+)(.*)", statement, re.DOTALL
        )
    }
    # The audit log tells of people, and of some of them with a site.
    without = {name for name, by_site in made.items() if not by_site} | {"audit"}
    assert without | {"migrations"} == OF_ALL_SITES


def test_a_table_of_sites_is_one_on_each_shard_and_one_over_them() -> None:
    statement = (
        f"CREATE TABLE IF NOT EXISTS counts\n{COLUMNS}\nENGINE = ReplacingMergeTree(views)\n"
        "ORDER BY site\nSETTINGS index_granularity = 512"
    )
    assert SHARDS.ddl(statement) == (
        Ddl(
            f"CREATE TABLE IF NOT EXISTS counts_local ON CLUSTER luot\n{COLUMNS}\n"
            "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/luot/{shard}/stats/counts',"
            " '{replica}', views)\nORDER BY site\nSETTINGS index_granularity = 512"
        ),
        Ddl(
            "CREATE TABLE IF NOT EXISTS counts ON CLUSTER luot AS stats.counts_local"
            " ENGINE = Distributed(luot, stats, counts_local, cityHash64(site))"
        ),
    )


def test_a_table_of_all_sites_is_on_every_server() -> None:
    (made,) = SHARDS.ddl(
        "CREATE TABLE IF NOT EXISTS meta (name String)\nENGINE = ReplacingMergeTree()\n"
        "ORDER BY name"
    )
    assert made.sql.startswith("CREATE TABLE IF NOT EXISTS meta ON CLUSTER luot\n(name String)")
    assert "('/clickhouse/tables/luot/all/stats/meta', '{shard}-{replica}')\nORDER" in made.sql
    # One of its replicas is changed; the others follow.
    for change in (
        "ALTER TABLE meta ADD COLUMN IF NOT EXISTS why String",
        "TRUNCATE TABLE IF EXISTS meta",
    ):
        assert SHARDS.ddl(change) == (Ddl(change, changes="meta"),)
    drop = "DROP TABLE IF EXISTS meta"
    assert SHARDS.ddl(drop) == (Ddl(f"{drop} ON CLUSTER luot"),)


def test_a_column_is_added_where_the_rows_are_and_the_table_over_them_is_made_anew() -> None:
    assert SHARDS.ddl("ALTER TABLE hits ADD COLUMN IF NOT EXISTS region String") == (
        Ddl(
            "ALTER TABLE hits_local ADD COLUMN IF NOT EXISTS region String",
            changes="hits_local",
            by_shard=True,
        ),
        Ddl("DROP TABLE IF EXISTS hits ON CLUSTER luot"),
        Ddl(
            "CREATE TABLE IF NOT EXISTS hits ON CLUSTER luot AS stats.hits_local"
            " ENGINE = Distributed(luot, stats, hits_local, cityHash64(site))"
        ),
    )


def test_rows_are_removed_where_they_are() -> None:
    assert SHARDS.ddl("ALTER TABLE hits DELETE WHERE site IN %(sites)s") == (
        Ddl("ALTER TABLE hits_local DELETE WHERE site IN %(sites)s", "hits_local", by_shard=True),
    )
    assert SHARDS.ddl("TRUNCATE TABLE IF EXISTS ended_days") == (
        Ddl("TRUNCATE TABLE IF EXISTS ended_days_local", "ended_days_local", by_shard=True),
    )


def test_views_read_from_the_database_that_they_are_in() -> None:
    (view,) = SHARDS.ddl(
        "CREATE VIEW IF NOT EXISTS seen AS SELECT site FROM hits WHERE site IN (SELECT slug FROM"
        " sites)"
    )
    assert view.sql == (
        "CREATE VIEW IF NOT EXISTS seen ON CLUSTER luot AS SELECT site FROM stats.hits WHERE site"
        " IN (SELECT slug FROM stats.sites)"
    )
    (fed,) = SHARDS.ddl(
        "CREATE MATERIALIZED VIEW IF NOT EXISTS of_hits TO visitors AS\nSELECT site\nFROM hits\n"
        "WHERE bot = 0"
    )
    assert fed.sql == (
        "CREATE MATERIALIZED VIEW IF NOT EXISTS of_hits ON CLUSTER luot TO stats.visitors_local AS"
        "\nSELECT site\nFROM stats.hits_local\nWHERE bot = 0"
    )


def test_a_table_is_copied_on_each_shard() -> None:
    assert SHARDS.ddl("INSERT INTO wide SELECT site, n FROM old\nWHERE n = 1") == (
        Ddl("INSERT INTO wide_local SELECT site, n FROM old_local\nWHERE n = 1", "old_local", True),
    )


def test_every_statement_of_the_schema_has_its_form_for_a_cluster() -> None:
    for statement in SCHEMA:
        for made in SHARDS.ddl(statement):
            name = re.findall(r"(?:EXISTS|TABLE|INTO) (\w+)", made.sql)[0]
            for_all = "ON CLUSTER luot" in made.sql
            # One that changes a table is never for the whole cluster: see Shards._other.
            assert made.by_shard + for_all + (name in OF_ALL_SITES and not for_all) == 1
            assert not (for_all and made.sql.startswith("ALTER"))


def test_another_statement_is_refused() -> None:
    with pytest.raises(ValueError, match="no statement for a cluster: RENAME TABLE a TO b"):
        SHARDS.ddl("RENAME TABLE a TO b")


def test_an_address_names_a_cluster_where_the_url_does() -> None:
    alone = Address.parse("clickhouse://h1,h2/stats")
    assert (alone.cluster, alone.shards) == ("", None)
    address = Address.parse("clickhouses://u:p@h1,h2/stats?cluster=luot&verify=0")
    assert (address.cluster, address.verify, address.secure) == ("luot", False, True)
    assert address.shards == SHARDS
    assert [name for name, _ in address.hosts] == ["h1", "h2"]


def test_what_one_server_holds_of_tables_by_site_is_read_there() -> None:
    assert SHARDS.local(
        "SELECT site FROM counters AS c\nJOIN  hits USING (site)"
        " WHERE a IN (SELECT name FROM erasures) AND b IN (SELECT x FROM (SELECT x FROM peaks))"
    ) == (
        "SELECT site FROM counters_local AS c\nJOIN  hits_local USING (site)"
        " WHERE a IN (SELECT name FROM erasures)"
        " AND b IN (SELECT x FROM (SELECT x FROM peaks_local))"
    )
    assert SHARDS.local("SELECT 1 FROM system.replicas") == "SELECT 1 FROM system.replicas"
    assert SHARDS.local("SELECT 1 FROM cluster(a, b)") == "SELECT 1 FROM cluster(a, b)"


def test_a_site_is_on_the_shard_where_the_servers_look_for_it() -> None:
    # What ClickHouse says of cityHash64(site).
    hashes = {
        "mytho": 10051810904975227248,
        "phường-1": 6935658906084850878,
        "": 11160318154034397263,
    }
    for weights in ((1, 1), (1, 2, 4), (3,)):
        layout = ShardLayout(weights, ((),) * len(weights))
        for site, hashed in hashes.items():
            owners = [shard for shard, weight in enumerate(weights) for _ in range(weight)]
            assert layout.shard_of(site) == owners[hashed % sum(weights)]


def test_values_are_spread_in_their_order() -> None:
    layout = ShardLayout((1, 1), ((), ()))
    sites = [f"site{number}" for number in range(50)]
    spread = layout.spread(sites, str)
    assert set(spread) == {0, 1}
    assert sorted([*spread[0], *spread[1]], key=sites.index) == sites
    assert all(spread[shard] == sorted(spread[shard], key=sites.index) for shard in spread)
    assert ShardLayout((1,), ((),)).spread(sites, str) == {0: sites}
    heavy = ShardLayout((1, 9), ((), ())).spread(sites, str)
    assert len(heavy[0]) < 15 < len(heavy[1])


def test_written_positions_of_shards_have_numbers_of_their_own() -> None:
    numbers = {written_number(partition, shard) for partition in range(1024) for shard in range(9)}
    assert len(numbers) == 1024 * 9
    assert written_number(7, 0) == 7
    assert partition_and_shard(written_number(1023, 8)) == (1023, 8)
