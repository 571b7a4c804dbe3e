"""How unevenly sites fill partitions: made-up portals with traffic after Zipf's law."""

from collections.abc import Sequence
from random import Random
from statistics import median

import msgspec

from benchmarks.portals import SEED
from services.model.partition import MAX_PARTITIONS, partition_of

PARTITIONS = (8, 16, 32, 64, 128, 256)
EXPONENTS = (0.6, 0.8, 1.0, 1.2)
SITES = 10_000
TRIES = 9


class Skew(msgspec.Struct, frozen=True):
    """Medians over tries with other names of sites.

    hottest  load of the hottest partition, as a multiple of the mean
    busy     workers that the traffic can keep busy: all hits over those of the hottest partition
    largest  share of all hits that go to the largest site, which partitions cannot divide
    """

    partitions: int
    exponent: float
    hottest: float
    busy: float
    largest: float


def simulate(sites: int = SITES, tries: int = TRIES) -> dict[float, list[Skew]]:
    """Spread sites over partitions as ingest does; return each exponent's curve."""
    # Every number of partitions here divides the highest one, so one checksum a name is enough.
    random = Random(SEED)
    drawn = [
        [partition_of(f"portal-{random.getrandbits(40):x}", MAX_PARTITIONS) for _ in range(sites)]
        for _ in range(tries)
    ]
    return {
        exponent: [_skew(partitions, exponent, drawn) for partitions in PARTITIONS]
        for exponent in EXPONENTS
    }


def _skew(partitions: int, exponent: float, drawn: Sequence[Sequence[int]]) -> Skew:
    weights = [1 / rank**exponent for rank in range(1, len(drawn[0]) + 1)]
    whole = sum(weights)
    highest = median(_highest(weights, partitions, names) for names in drawn)
    return Skew(
        partitions=partitions,
        exponent=exponent,
        hottest=highest * partitions / whole,
        busy=whole / highest,
        largest=weights[0] / whole,
    )


def _highest(weights: Sequence[float], partitions: int, names: Sequence[int]) -> float:
    loads = [0.0] * partitions
    for weight, name in zip(weights, names, strict=True):
        loads[name % partitions] += weight
    return max(loads)
