"""A column that an insert takes as bytes, where a list of values would be made for it alone."""

from abc import ABC, abstractmethod


class UnwritableError(TypeError):
    """The column cannot be written as that type; the message says which."""


class NativeColumn(ABC):
    """Writes itself as ClickHouse's native format has it. May be written twice, by any thread."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of values."""

    @abstractmethod
    def native(self, of_type: str, coding: int) -> bytes:
        """Return the values as a type of ClickHouse.

        coding  for LowCardinality, the flags of the format but for the width of the indices

        Raises UnwritableError.
        """
