"""Metrics of the API."""

from services import metrics

_number_reads = metrics.NUMBER_READS.create()
FRESH = _number_reads.labels("fresh")
"""From a cache."""
READ = _number_reads.labels("read")
STALE = _number_reads.labels("stale")
"""The last good numbers, because the store could not be read."""
NONE = _number_reads.labels("none")
"""The store could not be read, and nothing was read before."""
_counter_reads = metrics.COUNTER_READS.create()
COUNTER_READS = {
    cause: _counter_reads.labels(cause) for cause in ("changed", "net", "settling", "untold")
}
FIRST_READS = _counter_reads.labels("first")
MISSED_CHANGES = metrics.MISSED_CHANGES.create()
TOLD_PARTITIONS = metrics.TOLD_PARTITIONS.create()
STALE_ANSWERS = metrics.STALE_ANSWERS.create()
STORE_PARTS = metrics.STORE_PARTS.create_late()
STORE_FREE = metrics.STORE_FREE.create_late()
STORE_DISK = metrics.STORE_DISK.create_late()
LAST_BACKUP = metrics.LAST_BACKUP.create_late()
LAST_BACKUP_BYTES = metrics.LAST_BACKUP_BYTES.create_late()
LAST_BACKUP_VERIFIED = metrics.LAST_BACKUP_VERIFIED.create_late()
LAST_DOCTOR = metrics.LAST_DOCTOR.create_late()
DOCTOR_FAILURES = metrics.DOCTOR_FAILURES.create_late()
SITE_ONLINE = metrics.SITE_ONLINE.create()
SITE_VIEWS = metrics.SITE_VIEWS.create()
SITE_LAST_HIT = metrics.SITE_LAST_HIT.create()
SILENT_SITES = metrics.SILENT_SITES.create_late()
_reports = metrics.REPORTS_MAILED.create()
REPORTS_SENT = _reports.labels("sent")
REPORTS_FAILED = _reports.labels("failed")
_alerts = metrics.ALERTS_MAILED.create()
ALERTS_SENT = _alerts.labels("sent")
ALERTS_FAILED = _alerts.labels("failed")
LOG_UP = metrics.LOG_UP.create().labels("api")
STORE_UP = metrics.STORE_UP.create().labels("api")
