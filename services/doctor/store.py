"""Checks whether the store is as this version expects, and whether its numbers are consistent."""

from collections.abc import Callable, Sequence

from services.doctor.check import Check, Findings
from services.embedded.stores import Stores
from services.log.interface import Log
from services.settings import StoreSettings
from services.state.errors import StateError
from services.state.sites import PublishedSites
from services.state.state import State
from services.store.cluster import server_tables
from services.store.cluster.sharded import ShardedStore
from services.store.counts import drift
from services.store.dumps import refilling
from services.store.interface import Store, StoreError
from services.store.meta import server_info
from services.store.migrations import migrations, partitions_of, schema_of
from services.store.records import sites

SERVER = "ClickHouse"
"""The name of the check that the store can be used."""
SKEW_SECONDS = 5.0
MIN_FREE_BYTES = 2 << 30
MIN_FREE = 0.1
MANY_PARTS = 300
"""With more active parts than this in one partition, ClickHouse is close to refusing inserts."""
NAMED_ROWS = 20
_DAY_SECONDS = 86_400


async def examine(
    stores: Stores, settings: StoreSettings, days: int, clock: Callable[[], float]
) -> list[Check]:
    """Check the store; compare the counters of the last days with a recount of raw hits."""
    store = stores.store
    findings = Findings("store")
    try:
        version = await server_info.version(store)
    except StoreError as error:
        findings.add(
            SERVER,
            False,
            f"cannot be used: {error}",
            "start it, or set LUOT_CLICKHOUSE_URL; `luot migrate` creates the database",
        )
        if isinstance(store, ShardedStore):
            await findings.attempt("shards", lambda: _shards(findings, store), StoreError)
        return findings.checks
    findings.add(SERVER, True, version)
    for name, look in (
        ("shards", lambda: _shards(findings, store)),
        ("tables", lambda: _tables(findings, store)),
        ("clock", lambda: _clock(findings, store, clock)),
        ("schema", lambda: _schema(findings, store)),
        ("partitions", lambda: _partitions(findings, store, settings.partitions)),
        ("restore", lambda: _restore(findings, store)),
        ("disk", lambda: _disk(findings, store, stores.log)),
        ("parts", lambda: _parts(findings, store)),
        ("sites", lambda: _sites(findings, store, stores.state)),
        ("recount", lambda: _recount(findings, store, settings.partitions, days, clock)),
        ("periods", lambda: _periods(findings, store)),
    ):
        await findings.attempt(name, look, StoreError, StateError)
    return findings.checks


async def _shards(findings: Findings, store: Store) -> None:
    """Report which servers of a cluster cannot be used; a single server has no such check."""
    if not isinstance(store, ShardedStore):
        return
    replicas = await store.replicas()
    gone = [
        f"{one.server} of shard {one.shard + 1}: {one.problem}" for one in replicas if one.problem
    ]
    findings.add(
        "shards",
        not gone,
        f"{len(gone)} of {len(replicas)} servers cannot be used"
        if gone
        else f"all {len(replicas)} servers have everything that was written to their shards",
        "start them, or find out what keeps them from replicating (system.replication_queue):"
        f" {_some(gone)}",
    )


async def _tables(findings: Findings, store: Store) -> None:
    """Report which servers of a cluster lack tables; a single server has no such check."""
    if not isinstance(store, ShardedStore):
        return
    lacking = await server_tables.lacking(store)
    lacks = [f"{server} lacks {', '.join(names)}" for server, names in lacking.items()]
    findings.add(
        "tables",
        not lacking,
        f"{len(lacking)} servers lack tables or columns that others have"
        if lacking
        else "all servers that answer have the same tables",
        "create them there, as SHOW CREATE TABLE shows them on a replica of the same shard, then"
        f" restart the services: {_some(lacks)}",
    )


async def _clock(findings: Findings, store: Store, clock: Callable[[], float]) -> None:
    skew = await server_info.now(store) - int(clock())
    findings.add(
        "clock",
        abs(skew) <= SKEW_SECONDS,
        f"the clock of ClickHouse is {abs(skew)} s {'ahead' if skew > 0 else 'behind'}",
        "keep all machines on time with NTP",
    )


async def _schema(findings: Findings, store: Store) -> None:
    schema = await schema_of(store)
    newest = max(migration.number for migration in migrations())
    findings.add(
        "schema",
        schema == newest,
        f"number {schema}; this version expects {newest}",
        "run `luot migrate`" if schema < newest else "run the newer version of Luot",
    )


async def _partitions(findings: Findings, store: Store, partitions: int) -> None:
    number = await partitions_of(store)
    findings.add(
        "partitions",
        number in (None, partitions),
        f"created with {number or 'none yet'}, LUOT_PARTITIONS={partitions}",
        f"set LUOT_PARTITIONS={number} everywhere",
    )


async def _restore(findings: Findings, store: Store) -> None:
    outcome = await refilling.restore_state(store)
    findings.add(
        "restore",
        outcome != "unfinished",
        f"the last restore is {outcome}" if outcome else "never restored",
        "numbers are missing: run `luot restore --replace` again, and let it finish",
    )


async def _disk(findings: Findings, store: Store, log: Log) -> None:
    disks = await server_info.disks(store)
    if not disks:
        findings.add("disk", None, "this server does not say how full its disk is")
    for disk in disks:
        findings.add(
            "disk",
            disk.free > MIN_FREE_BYTES and disk.free > MIN_FREE * disk.total,
            f"{disk.free / (1 << 30):.1f} GiB of {disk.total / (1 << 30):.1f} GiB are free",
            "make room: a full store counts nothing, and the log grows until"
            f" {log.server_name} is full, too",
        )


async def _parts(findings: Findings, store: Store) -> None:
    most = await server_info.most_parts(store)
    findings.add(
        "parts",
        most < MANY_PARTS,
        f"at most {most} in one partition",
        "raise LUOT_FLUSH_SECONDS, and check whether merges keep up (system.merges)",
    )


async def _sites(findings: Findings, store: Store, shared: State) -> None:
    slugs = {site.slug for site in await sites.load(store)}
    published = await PublishedSites(shared).slugs()
    findings.add(
        "sites",
        slugs == published,
        f"{len(slugs)} sites, {len(published)} of them known to ingest",
        f"start the API, which publishes them: {_some(sorted(slugs ^ published))}",
    )


async def _recount(
    findings: Findings, store: Store, partitions: int, days: int, clock: Callable[[], float]
) -> None:
    today = int(clock()) // _DAY_SECONDS
    first_day = today - (days - 1)
    first_kept = await drift.first_kept(store, first_day, today)
    kept_days = today - first_kept + 1
    differ = await drift.recount(store, partitions, first_kept)
    findings.add(
        "recount",
        not differ,
        f"{len(differ)} site-days of the last {kept_days} days differ from their raw hits"
        if differ
        else f"the last {kept_days} days of every site agree with their raw hits"
        if kept_days == days
        else f"the last {kept_days} days of every site agree with their raw hits; of earlier days"
        " there are none",
        _rows(differ),
    )
    differ = await drift.pages(store, first_day)
    findings.add(
        "pages",
        not differ,
        f"{len(differ)} site-days of the last {days} days differ from the sum of their pages"
        if differ
        else "every site-day is the sum of its pages",
        _rows(differ),
    )


async def _periods(findings: Findings, store: Store) -> None:
    differ = await drift.periods(store)
    findings.add(
        "periods",
        not differ,
        f"{len(differ)} months, years or totals are not the sums of their days"
        if differ
        else "months, years and totals are the sums of their days",
        _rows(differ),
    )


def _rows(differ: Sequence[drift.Difference]) -> str:
    return (
        "`luot rewind` repairs what is still in the log, a backup what is not any more."
        f" {_some(differ)}"
    )


def _some(values: Sequence[object]) -> str:
    shown = "; ".join(str(value) for value in values[:NAMED_ROWS])
    more = len(values) - NAMED_ROWS
    return f"{shown}; and {more} more" if more > 0 else shown
