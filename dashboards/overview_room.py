"""The last row of the overview: is there room for tomorrow, and is care taken of Luot?"""

from grafana_foundation_sdk.models import units

from dashboards.panels import Column, Panel, Query, bars, rows, value
from dashboards.shared import UP


def panels() -> list[Panel]:
    """Return them."""
    return [
        bars(
            "Spools",
            "How full the spool of each ingest is. It fills while the log takes nothing.",
            units.PercentUnit,
            Query("luot_spool_bytes / (luot_spool_limit_bytes > 0)", "{{instance}}"),
            alerts=["LuotSpoolFills"],
            most=1,
            span=4,
            height=4,
        ),
        value(
            "Memory of the log",
            "Share of what Redis may use.",
            units.PercentUnit,
            Query("max(luot_log_memory_bytes / (luot_log_memory_limit_bytes > 0))"),
            alerts=["LuotLogFills"],
            opens="luot-stores",
        ),
        value(
            "Free disk of the store",
            "Free share of the disk of ClickHouse. Its old versions do not say.",
            units.PercentUnit,
            Query("min(luot_store_free_bytes / (luot_store_disk_bytes > 0))"),
            alerts=["LuotStoreDiskLow", "LuotStoreDiskFull"],
            opens="luot-stores",
        ),
        value(
            "Last backup",
            "Time since the last backup ended.",
            units.Seconds,
            Query("time() - max(luot_last_backup_timestamp_seconds)"),
            alerts=["LuotBackupOld"],
            also=["LuotBackupMissing"],
            nothing="none yet",
            opens="luot-stores",
        ),
        value(
            "Failed checks of doctor",
            "Of the last run of `luot doctor`.",
            units.Short,
            Query("max(luot_doctor_failures)"),
            alerts=["LuotDoctorFails"],
            nothing="never run",
            opens="luot-stores",
        ),
        value(
            "The certificate holds for",
            "Of the public address.",
            units.Seconds,
            Query('min by (instance) (probe_ssl_earliest_cert_expiry{job="blackbox"} - time())'),
            alerts=["CertificateExpires", "CertificateExpiresNow"],
        ),
        rows(
            "Versions",
            "What runs. During an upgrade there are two.",
            units.Number,
            Query("max by (service, version, python, instance) (luot_build_info)"),
            columns=[
                Column("service", "Service"),
                Column("version", "Luot"),
                Column("python", "Python"),
                Column("instance", "Instance"),
            ],
            sort="Service",
            descending=False,
            span=12,
        ),
        value(
            "What watches",
            "Whether the exporters, Prometheus and Alertmanager answer. Who watches nothing sees"
            " nothing wrong.",
            units.Number,
            Query('up{job!~"luot.*"}', "{{job}} {{instance}}"),
            names=UP,
            alerts=["ExporterDown"],
            span=8,
            height=8,
        ),
        value(
            "Lost notifications",
            "What Alertmanager could not deliver in 15 minutes.",
            units.Short,
            Query("sum(increase(alertmanager_notifications_failed_total[15m]))"),
            alerts=["NotificationsFail"],
            height=8,
        ),
    ]
