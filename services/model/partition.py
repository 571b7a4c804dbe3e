"""Assigns each site to a partition of the log."""

from zlib import crc32

from services.model.kept_apart import site_of

DEFAULT_PARTITIONS = 8
MAX_PARTITIONS = 1024


def partition_of(site: str, partitions: int) -> int:
    """Return the partition of a site, 0 to `partitions` - 1, by a stable hash.

    Its downloads are in the same partition.
    """
    return crc32(site_of(site).encode()) % partitions
