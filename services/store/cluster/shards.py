"""The tables of a cluster: translates statements for one server if sites are on shards.

A table X by site is X_local on each server, replicated within the shard, and X, a `Distributed`
table over them by site. The few tables for all sites are replicated to every server.
"""

import re

import msgspec

from services.store.interface import Ddl

OF_ALL_SITES = frozenset(
    {"audit", "erasures", "meta", "migrations", "site_groups", "sites", "tokens", "users"}
)
"""Tables that every server has in full; all others are sharded by their column `site`."""

_CREATE_TABLE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)\s*(?P<columns>\(.*\))\s*"
    r"ENGINE = (?P<engine>\w+)(?:\((?P<arguments>[^()]*)\))?(?P<rest>.*)",
    re.DOTALL,
)
_CREATE_MATERIALIZED = re.compile(
    r"(?P<head>CREATE MATERIALIZED VIEW IF NOT EXISTS \w+) TO (?P<to>\w+) AS(?P<select>.*?)"
    r"\bFROM (?P<of>\w+)(?P<rest>.*)",
    re.DOTALL,
)
_CREATE_VIEW = re.compile(r"(?P<head>CREATE VIEW IF NOT EXISTS \w+) AS\b(?P<select>.*)", re.DOTALL)
_OTHER = re.compile(
    r"(?P<head>ALTER TABLE|DROP TABLE IF EXISTS|TRUNCATE TABLE(?: IF EXISTS)?)"
    r" (?P<name>\w+)(?P<rest>.*)",
    re.DOTALL,
)
_COPY = re.compile(
    r"INSERT INTO (?P<to>\w+) (?P<select>SELECT .+ FROM) (?P<of>\w+)(?P<rest>.*)", re.DOTALL
)
_READ = re.compile(r"\bFROM (\w+)")
_TABLE_READ = re.compile(r"\b(FROM|JOIN)(\s+)([a-z_]+)\b(?![.(])")
_LOCAL = "_local"
_UNREPLICATED = "Null"


class Shards(msgspec.Struct, frozen=True):
    """A cluster by its servers' name for it, and the database of the tables."""

    cluster: str
    database: str

    def stored(self, table: str) -> str:
        """Return the name of the table that holds the rows of a table."""
        return table if table in OF_ALL_SITES else f"{table}{_LOCAL}"

    def shown(self, stored: str) -> str:
        """Return the table whose rows a table holds."""
        return stored.removesuffix(_LOCAL)

    def local(self, statement: str) -> str:
        """Return the statement restricted to one server's local rows of tables by site."""
        return _TABLE_READ.sub(
            lambda match: f"{match[1]}{match[2]}{self.stored(match[3])}", statement
        )

    def system(self, table: str) -> str:
        """Return the expression that reads a table of `system`, for our database, in each shard."""
        of_all = f"cluster('{self.cluster}', system, {table})"
        return f"(SELECT * FROM {of_all} WHERE database = '{self.database}')"  # noqa: S608

    def ddl(self, statement: str) -> tuple[Ddl, ...]:
        """Return the statements that do on all servers what one does on a single server.

        Each server creates and drops its own tables; altering, emptying or copying one is done on
        one replica of each shard, and the others follow. Raises ValueError for another statement.
        """
        statement = statement.strip()
        if match := _CREATE_TABLE.fullmatch(statement):
            return self._table(match)
        on = f"ON CLUSTER {self.cluster}"
        # A server that runs a forwarded one has no default database for its SELECT.
        if match := _CREATE_MATERIALIZED.fullmatch(statement):
            to, of = (f"{self.database}.{self.stored(match[name])}" for name in ("to", "of"))
            select = f"AS{match['select']}FROM {of}{match['rest']}"
            return (Ddl(f"{match['head']} {on} TO {to} {select}"),)
        if match := _CREATE_VIEW.fullmatch(statement):
            select = _READ.sub(rf"FROM {self.database}.\1", match["select"])
            return (Ddl(f"{match['head']} {on} AS{select}"),)
        if match := _OTHER.fullmatch(statement):
            return self._other(match["head"], match["name"], match["rest"])
        if match := _COPY.fullmatch(statement):
            to, of = self.stored(match["to"]), self.stored(match["of"])
            copy = f"INSERT INTO {to} {match['select']} {of}{match['rest']}"
            return (Ddl(copy, of, of != match["of"]),)
        raise ValueError(f"this is no statement for a cluster: {statement[:100]}")

    def _table(self, match: re.Match[str]) -> tuple[Ddl, ...]:
        name, columns, engine, rest = (
            match["name"],
            match["columns"],
            match["engine"],
            match["rest"],
        )
        on = f"ON CLUSTER {self.cluster}"
        if engine == _UNREPLICATED:
            replicated = engine
        else:
            # A replica's name must be unique within its path, which tables for all sites share.
            of_all = name in OF_ALL_SITES
            shard, replica = ("all", "{shard}-{replica}") if of_all else ("{shard}", "{replica}")
            path = f"/clickhouse/tables/{self.cluster}/{shard}/{self.database}/{name}"
            arguments = ", ".join(filter(None, (f"'{path}', '{replica}'", match["arguments"])))
            replicated = f"Replicated{engine}({arguments})"
        begin = f"CREATE TABLE IF NOT EXISTS {self.stored(name)} {on}"
        stored = Ddl(f"{begin}\n{columns}\nENGINE = {replicated}{rest}")
        if name in OF_ALL_SITES:
            return (stored,)
        return (stored, self._distributed(name))

    def _distributed(self, name: str) -> Ddl:
        stored = self.stored(name)
        over = f"{self.cluster}, {self.database}, {stored}, cityHash64(site)"
        return Ddl(
            f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER {self.cluster}"
            f" AS {self.database}.{stored} ENGINE = Distributed({over})"
        )

    def _other(self, head: str, name: str, rest: str) -> tuple[Ddl, ...]:
        stored = self.stored(name)
        drop = Ddl(f"DROP TABLE IF EXISTS {name} ON CLUSTER {self.cluster}")
        if head.startswith("DROP"):
            of_rows = Ddl(f"{head} {stored} ON CLUSTER {self.cluster}{rest}")
            return (of_rows,) if stored == name else (of_rows, drop)
        # Not ON CLUSTER: in version 18.16 two replicas of a shard may both run it, and the second
        # one then runs no more statements for the whole cluster until it is restarted.
        change = Ddl(f"{head} {stored}{rest}", stored, stored != name)
        if change.by_shard and rest.lstrip().startswith("ADD COLUMN"):
            # Version 18.16 cannot alter a `Distributed` table on a cluster. It holds no data, so it
            # is recreated with the columns of the other.
            return (change, drop, self._distributed(name))
        return (change,)
