"""The numbers under which a log keeps how far the shards of a store were written."""

_SHARD_BITS = 16


def written_number(partition: int, shard: int) -> int:
    """Return the number under which is recorded what one shard of the store must hold."""
    return shard << _SHARD_BITS | partition


def partition_and_shard(number: int) -> tuple[int, int]:
    """Invert `written_number`."""
    return number & (1 << _SHARD_BITS) - 1, number >> _SHARD_BITS
