"""Positions of a log on Redis: an entry id, time and sequence, as one integer."""

SEQUENCE_BITS = 20
MAX_SEQUENCE = (1 << SEQUENCE_BITS) - 1


def encode(ms: int, sequence: int) -> int:
    """Return the position of the entry `ms-sequence`.

    Raises ValueError when the sequence does not fit its 20 bits (over a million entries of one
    partition within one millisecond).
    """
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise ValueError(f"entry sequence {sequence} is not within 0..{MAX_SEQUENCE}")
    return ms << SEQUENCE_BITS | sequence


def of_entry(entry_id: bytes) -> int:
    """Return the position of an entry id as Redis writes it, `ms-seq`."""
    ms, _, sequence = entry_id.partition(b"-")
    return encode(int(ms), int(sequence))


def to_entry(position: int) -> str:
    """Return the entry id of a position."""
    return f"{time_ms(position)}-{sequence(position)}"


def time_ms(position: int) -> int:
    """Return the log time of a position in milliseconds since 1970, UTC."""
    return position >> SEQUENCE_BITS


def sequence(position: int) -> int:
    """Return the sequence of a position within its millisecond."""
    return position & MAX_SEQUENCE
