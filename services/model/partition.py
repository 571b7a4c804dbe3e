"""Which partition of the log the hits of a site are in."""

from zlib import crc32

DEFAULT_PARTITIONS = 8
MAX_PARTITIONS = 1024


def partition_of(site: str, partitions: int) -> int:
    """Return the partition of a site, 0 to `partitions` - 1: always the same one."""
    return crc32(site.encode()) % partitions
