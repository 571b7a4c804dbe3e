"""Assigns each site to a partition of the log."""

from zlib import crc32

DEFAULT_PARTITIONS = 8
MAX_PARTITIONS = 1024


def partition_of(site: str, partitions: int) -> int:
    """Return the partition of a site, 0 to `partitions` - 1, by a stable hash."""
    return crc32(site.encode()) % partitions
