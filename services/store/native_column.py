"""A column that an insert takes as bytes, to avoid building a list of values just for that."""

from abc import ABC, abstractmethod


class UnwritableError(TypeError):
    """The column cannot be written as that type; the message says which."""


class NativeColumn(ABC):
    """Writes itself in ClickHouse's native format. May be written twice, by any thread."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of values."""

    @abstractmethod
    def native(self, of_type: str, coding: int) -> bytes:
        """Return the values as a type of ClickHouse.

        coding  for LowCardinality, the flags of the format except the width of the indices

        Raises UnwritableError.
        """
