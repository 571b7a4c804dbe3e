"""The folds of the partitions that this aggregator owns."""

from collections.abc import Collection
from typing import Any

from services.aggregator.folding import AnyFold, Folding, PythonFolding
from services.aggregator.online_window import DayPeak


class OwnedFolds:
    """The fold of each assigned partition that has been read."""

    def __init__(self, folding: Folding | None = None) -> None:
        self.folding = folding or PythonFolding()
        self.by_partition: dict[int, AnyFold] = {}

    def of(self, partition: int) -> AnyFold:
        """Return the fold of a partition, a new one for a newly assigned partition."""
        fold = self.by_partition.get(partition)
        if fold is None:
            fold = self.by_partition[partition] = self.folding.new(partition)
        return fold

    def forget(self, partitions: Collection[int]) -> None:
        """Drop the folds of partitions that another worker owns now."""
        for partition in partitions:
            self.by_partition.pop(partition, None)

    def take_peaks(self) -> list[DayPeak]:
        """Return the peaks that rose since the last call."""
        return [peak for fold in self.by_partition.values() for peak in fold.online.take_peaks()]


def assigned(consumer: Any) -> list[int]:
    """Return the partitions whose leases this process holds, in order."""
    return sorted(tp.partition for tp in consumer.assignment())
