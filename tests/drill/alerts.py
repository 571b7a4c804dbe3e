"""Which fault each alert is fired by, and in which order: lanes run side by side."""

from typing import NamedTuple

from tests.drill import faults, records
from tests.drill.faults import Fault
from tests.drill.feed import Fed


class Drill(NamedTuple):
    """A fault, and the alerts that must fire while it holds and be resolved after it.

    later    alerts that take long to fire or to end: the next fault does not wait for them
    already  whether it is so from the start
    """

    fault: Fault
    alerts: tuple[str, ...]
    later: tuple[str, ...] = ()
    already: bool = False

    @property
    def what(self) -> str:
        """Return what is broken, in a line."""
        return (self.fault.__doc__ or "").partition("\n")[0].rstrip(".")


FIRST = (Drill(records.never_backed_up, ("LuotBackupMissing",), already=True),)
"""What is so from the beginning."""

LUOT = (
    Drill(
        faults.redis_killed,
        ("LuotLogDown", "LuotSpoolFills", "LuotIngestBudgetBurnsFast"),
        ("LuotIngestBudgetBurnsSlowly",),
    ),
    Drill(faults.store_read_only, ("LuotHitsNotCounted",)),
    Drill(faults.table_gone, ("LuotNumbersStale",)),
    Drill(
        faults.numbers_forgotten, ("LuotCounterBudgetBurnsFast",), ("LuotCounterBudgetBurnsSlowly",)
    ),
    Drill(
        faults.slow_flushes,
        ("LuotFreshnessBudgetBurnsFast",),
        ("LuotFreshnessBudgetBurnsSlowly",),
    ),
    Drill(faults.clickhouse_killed, ("LuotStoreDown",)),
    Drill(faults.ingest_killed, ("LuotIngestDown",)),
    Drill(faults.aggregators_killed, ("LuotAggregatorDown",)),
    Drill(faults.api_killed, ("LuotApiDown",)),
    Drill(faults.one_aggregator_killed, ("LuotPartitionUnowned", "LuotInstanceDown")),
    Drill(faults.restarts, (), ("LuotRestarts",)),
    Drill(faults.nobody_comes, ("LuotNoHits",)),
    Drill(faults.store_slow, ("LuotCounterSlow",)),
    Drill(faults.append_only_file_off, ("RedisNotDurable",)),
    Drill(faults.redis_nearly_full, ("LuotLogFills",)),
    Drill(faults.evicting, ("RedisEvicts",)),
)
"""What shakes all of Luot: one after the other."""

HITS = (
    Drill(faults.many_hits_of_one_address, ("LuotReadersRefused",)),
    Drill(faults.unknown_proxy, ("LuotProxyNotTrusted",)),
    Drill(faults.unknown_portal, ("LuotForeignHits",)),
    Drill(records.counters_changed, ("LuotDrift",)),
    Drill(records.changes_untold, ("LuotChangesMissed",)),
    Drill(records.site_silent, ("LuotSitesSilent",)),
    Drill(records.backup_stopped, ("LuotBackupOld", "LuotBackupOutOfReach")),
    Drill(records.never_tried, ("LuotBackupUnverified",)),
    Drill(faults.merges_stopped, ("LuotStoreManyParts",)),
    Drill(faults.probe_site_moved, ("LuotProbeFails",)),
    Drill(faults.unreadable_entry, (), ("LuotDeadEntries",)),
    Drill(records.doctor_unhappy, ("LuotDoctorFails",)),
    Drill(records.old_spool, (), ("LuotHitsSetAside",)),
    Drill(records.torn_spool, (), ("LuotSpoolTorn",)),
)
"""What wants a Luot that works."""

LAST = (Drill(records.pages_refused, ("NotificationsFail",)),)
"""What keeps other notices from arriving: when everything else is over."""

OUTSIDE = (
    Drill(
        Fed(
            "fed: a disk with 2% free",
            {'node_filesystem_avail_bytes{device="/dev/vda1",fstype="ext4",mountpoint="/"}': 2e9},
        ),
        ("NodeDiskFull",),
    ),
    Drill(
        Fed("fed: a machine with 3% of its memory", {"node_memory_MemAvailable_bytes": 6e7}),
        ("NodeMemoryLow",),
    ),
    Drill(
        Fed(
            "fed: a clock without time service, two seconds off",
            {"node_timex_offset_seconds": 2.0, "node_timex_sync_status": 0},
        ),
        ("NodeClockOff",),
    ),
    Drill(
        Fed(
            "fed: a disk of ClickHouse with 10% free", {'luot_store_free_bytes{drill="fed"}': 1e10}
        ),
        ("LuotStoreDiskLow",),
    ),
    Drill(
        Fed("fed: a disk of ClickHouse with 2% free", {'luot_store_free_bytes{drill="fed"}': 2e9}),
        ("LuotStoreDiskFull",),
    ),
    Drill(records.exporter_killed, ("ExporterDown",)),
    Drill(records.certificate_ends_soon, ("CertificateExpires",)),
    Drill(records.certificate_ends_tomorrow, ("CertificateExpiresNow",)),
    Drill(records.web_server_killed, ("PublicAddressDown",)),
)
"""What is around Luot."""

LANES = (FIRST, LUOT + HITS, OUTSIDE)
SHORT = ("LuotIngestDown", "LuotDrift", "NodeDiskFull")
"""Those of the short form, in the tests."""
EVERY = {
    alert for lane in (*LANES, LAST) for drill in lane for alert in (*drill.alerts, *drill.later)
} | {"Watchdog"}
