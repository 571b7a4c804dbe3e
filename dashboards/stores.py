"""The dashboard of Redis, ClickHouse, backups and machines: is there room, is it kept safe?"""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Row, board, choice
from dashboards.panels import Query, graph, value
from dashboards.shared import RATE, UP

HERE = 'instance=~"$instance"'
DISKS = 'fstype!~"tmpfs|ramfs|overlay|squashfs|fuse.*"'


def dashboard() -> Dashboard:
    """Return it."""
    return board(
        "luot-stores",
        "Luot: stores and machines",
        "Redis, ClickHouse, backups and the machines below: do they answer, is there room, could"
        " everything be restored?",
        [
            Row(
                "Backups and checks",
                [
                    value(
                        "Last backup",
                        "Time since the last backup ended. No value: there was none yet.",
                        units.Seconds,
                        Query("time() - max(luot_last_backup_timestamp_seconds)"),
                        alerts=["LuotBackupOld"],
                        nothing="none yet",
                        also=["LuotBackupMissing"],
                    ),
                    value(
                        "Last backup tried",
                        "Time since a backup was last restored to see whether it can be. No"
                        " value: never.",
                        units.Seconds,
                        Query("time() - max(luot_last_backup_verified_timestamp_seconds)"),
                        alerts=["LuotBackupUnverified"],
                        nothing="never",
                    ),
                    value(
                        "Size of the last backup",
                        "Bytes. A backup that is much smaller than the one before deserves a look.",
                        units.BytesIEC,
                        Query("max(luot_last_backup_bytes)"),
                        colour="blue",
                        nothing="none yet",
                    ),
                    value(
                        "Backup beyond the log",
                        "By how much the last backup is older than what the log still has. Above 0"
                        " a restore loses hits for good; below, they can be counted again. On a"
                        " quiet portal it may be above 0 although nothing was dropped; the alert"
                        " looks at that, too.",
                        units.Seconds,
                        Query(
                            "time() - max(luot_last_backup_timestamp_seconds)"
                            " - min(luot_log_reach_seconds)"
                        ),
                        alerts=["LuotBackupOutOfReach"],
                        nothing="none yet",
                    ),
                    value(
                        "Failed checks of doctor",
                        "Of the last run of `luot doctor`, which says what is wrong and what to"
                        " do.",
                        units.Short,
                        Query("max(luot_doctor_failures)"),
                        alerts=["LuotDoctorFails"],
                        nothing="never run",
                    ),
                    value(
                        "Last run of doctor",
                        "Time since `luot doctor` last ended.",
                        units.Seconds,
                        Query("time() - max(luot_last_doctor_timestamp_seconds)"),
                        colour="blue",
                        nothing="never run",
                    ),
                ],
            ),
            Row(
                "ClickHouse, as Luot sees it",
                [
                    value(
                        "The store answers",
                        "Whether ClickHouse answers each service.",
                        units.Number,
                        Query("min by (service) (luot_store_up)", "{{service}}"),
                        names=UP,
                        alerts=["LuotStoreDown"],
                        height=8,
                    ),
                    value(
                        "Free disk",
                        "Free share of the store's fullest disk. Merges need room: below 5%,"
                        " inserts fail.",
                        units.PercentUnit,
                        Query("min(luot_store_free_bytes / (luot_store_disk_bytes > 0))"),
                        alerts=["LuotStoreDiskLow", "LuotStoreDiskFull"],
                        height=8,
                    ),
                    graph(
                        "Disk",
                        "Free bytes of the store's fullest disk, and its size.",
                        units.BytesIEC,
                        Query("min(luot_store_free_bytes)", "free"),
                        Query("max(luot_store_disk_bytes)", "size"),
                    ),
                    graph(
                        "Parts of a partition",
                        "The largest number of active parts of one partition of a table. It grows"
                        " where ClickHouse does not keep up with merging; in the end it refuses"
                        " inserts.",
                        units.Short,
                        Query("max(luot_store_parts)", "parts"),
                        alerts=["LuotStoreManyParts"],
                    ),
                ],
            ),
            Row(
                "ClickHouse, as it sees itself (not served by Debian 12's 18.16)",
                [
                    graph(
                        "Queries",
                        "Queries a second, and those that failed.",
                        units.CountsPerSecond,
                        Query(
                            f"sum(rate(ClickHouseProfileEvents_Query{{{HERE}}}[{RATE}]))", "queries"
                        ),
                        Query(
                            f"sum(rate(ClickHouseProfileEvents_FailedQuery{{{HERE}}}[{RATE}]))",
                            "failed",
                        ),
                    ),
                    graph(
                        "Rows inserted",
                        "Rows a second, over all tables.",
                        units.CountsPerSecond,
                        Query(
                            f"sum(rate(ClickHouseProfileEvents_InsertedRows{{{HERE}}}[{RATE}]))",
                            "rows",
                        ),
                    ),
                    graph(
                        "Memory",
                        "What ClickHouse accounts for; deploy/clickhouse limits it.",
                        units.BytesIEC,
                        Query(f"ClickHouseMetrics_MemoryTracking{{{HERE}}}", "{{instance}}"),
                    ),
                ],
            ),
            Row(
                "Redis",
                [
                    value(
                        "The log answers",
                        "Whether Redis answers each service, and takes the hits of ingest.",
                        units.Number,
                        Query("min by (service) (luot_log_up)", "{{service}}"),
                        names=UP,
                        alerts=["LuotLogDown"],
                    ),
                    value(
                        "Memory used",
                        "Share of what Redis may use. From 65% counted hits are trimmed, from 80%"
                        " bots are not written; full, it takes nothing.",
                        units.PercentUnit,
                        Query("max(luot_log_memory_bytes / (luot_log_memory_limit_bytes > 0))"),
                        alerts=["LuotLogFills"],
                    ),
                    value(
                        "Appends are kept",
                        "Whether Redis writes its append-only file. Without it, a restart of Redis"
                        " loses hits that were accepted.",
                        units.Number,
                        Query(f"min(redis_aof_enabled{{{HERE}}})"),
                        names={"0": "no", "1": "yes"},
                        alerts=["RedisNotDurable"],
                    ),
                    value(
                        "Evicted keys",
                        "In ten minutes. Each may be a whole partition of hits: Redis must run"
                        " with `maxmemory-policy noeviction`.",
                        units.Short,
                        Query(f"increase(redis_evicted_keys_total{{{HERE}}}[10m])"),
                        alerts=["RedisEvicts"],
                    ),
                    value(
                        "Clients",
                        "Open connections to Redis.",
                        units.Short,
                        Query(f"sum(redis_connected_clients{{{HERE}}})"),
                        colour="blue",
                    ),
                    value(
                        "Since its start",
                        "How long Redis has been running.",
                        units.Seconds,
                        Query(f"min(redis_uptime_in_seconds{{{HERE}}})"),
                        colour="blue",
                    ),
                    graph(
                        "Memory",
                        "What Redis uses, by its own account, and its `maxmemory`.",
                        units.BytesIEC,
                        Query(f"redis_memory_used_bytes{{{HERE}}}", "used, {{instance}}"),
                        Query(f"redis_memory_max_bytes{{{HERE}}} > 0", "limit, {{instance}}"),
                    ),
                    graph(
                        "Commands",
                        "Commands a second, by server.",
                        units.OpsPerSecond,
                        Query(
                            f"rate(redis_commands_processed_total{{{HERE}}}[{RATE}])",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Refused connections",
                        "Connections that Redis refused because it has `maxclients` already, in an"
                        " hour.",
                        units.Short,
                        Query(
                            f"increase(redis_rejected_connections_total{{{HERE}}}[1h])",
                            "{{instance}}",
                        ),
                    ),
                ],
            ),
            Row(
                "Machines",
                [
                    graph(
                        "Free disk",
                        "Free share of each disk, by what a user who is not root may write.",
                        units.PercentUnit,
                        Query(
                            "min by (instance, mountpoint)"
                            f" (node_filesystem_avail_bytes{{{DISKS},{HERE}}}"
                            " / (node_filesystem_size_bytes > 0))",
                            "{{instance}} {{mountpoint}}",
                        ),
                        alerts=["NodeDiskFull"],
                        most=1,
                        span=6,
                    ),
                    graph(
                        "Available memory",
                        "Share of the memory that programs can still have.",
                        units.PercentUnit,
                        Query(
                            f"node_memory_MemAvailable_bytes{{{HERE}}}"
                            " / (node_memory_MemTotal_bytes > 0)",
                            "{{instance}}",
                        ),
                        alerts=["NodeMemoryLow"],
                        most=1,
                        span=6,
                    ),
                    graph(
                        "Processor",
                        "Share of the cores that is in use.",
                        units.PercentUnit,
                        Query(
                            "1 - avg by (instance)"
                            f' (rate(node_cpu_seconds_total{{mode="idle",{HERE}}}[{RATE}]))',
                            "{{instance}}",
                        ),
                        most=1,
                        span=6,
                    ),
                    graph(
                        "Clock",
                        "By how much the clock of each machine is off. Days turn by it.",
                        units.Seconds,
                        Query(f"abs(node_timex_offset_seconds{{{HERE}}})", "{{instance}}"),
                        alerts=["NodeClockOff"],
                        span=6,
                    ),
                ],
            ),
        ],
        [
            choice(
                "instance",
                "Exporter",
                'label_values(up{job=~"redis|clickhouse|node"}, instance)',
            )
        ],
        hours=12,
    )
