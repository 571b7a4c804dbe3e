"""When Faust's consumer reads: within a generation, after its seek, and nowhere else."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from faust.types import TP, Message

from services.aggregator.transport.plain_consumer import PlainConsumer

STILL_TICKS = 240
"""Renewals of the leases, two a second, without a read or a seek: then something is broken."""


class NothingRead(dict[TP, int | None]):
    """Faust's notes of what it has read, which stay empty.

    Faust drops what comes before the message noted last, and notes one after it was handed over:
    also after a seek to before it, if it committed in between. Positions only grow here.
    """

    def __missing__(self, tp: TP) -> None:
        """Return that nothing was read."""

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Note nothing."""


class GenerationConsumer(PlainConsumer):
    """Hands over what is read in one generation, in order, from where its recovery has sought.

    Each change of ownership begins a generation (the app's `consumer_generation_id`) and stops the
    flow. It resumes at the end of the recovery of that same generation, once that has sought.
    Faust 0.15.3 is content with less:

    - It stops nothing where nothing was owned before, reads as soon as the partitions are resumed,
      and some steps after the seek it empties the queues of the agents: what was in them by then is
      never handed over, and lost with the next commit.
    - The end of a recovery whose generation is over resumes the flow of the next one.
    - It drops what a read brings into a stopped flow, and goes back by a seek of its own, beside
      that of the recovery.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = NothingRead()
        self._recovering: int | None = None
        """The generation whose recovery runs, or ran last."""
        self._sought: int | None = None
        """The generation of which it is known where to read."""
        self._handing_over = False
        self._still = 0

    def begin_generation(self) -> None:
        """Make what is in flight stale, and read nothing before the next recovery has ended."""
        self.app.consumer_generation_id += 1
        self.stop_flow()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Note which recovery this is: it has just found its generation to be the app's."""
        super().resume_partitions(tps)
        self._recovering = self.app.consumer_generation_id

    def resume_flow(self) -> None:
        """Let messages pass, unless the generation has changed or the seek has failed.

        Recoveries follow one another: after a seek of this generation it is its own that ends.
        """
        if self._sought == self.app.consumer_generation_id:
            super().resume_flow()

    def flows(self, generation: int) -> bool:
        """Return whether what was asked for in a generation may be handed over."""
        return bool(self.flow_active and generation == self.app.consumer_generation_id)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust calls it so
    ) -> AsyncIterator[tuple[TP, Message]]:
        """Yield the messages of one read, up to the next change of ownership."""
        while not (self.flow_active or self.should_stop):
            await self.wait(self.can_resume_flow)
        if self.should_stop:
            return
        generation = self.app.consumer_generation_id
        self._still = 0
        records: Mapping[TP, Any] = await self._getmany(self.assignment(), timeout)
        self._still = 0
        for tp, record in self.scheduler.iterate(records):
            if not self.flows(generation):
                return
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            self._handing_over = True
            yield tp, self._to_message(tp, record)
            self._handing_over = False

    def watch_reading(self) -> None:
        """Raise RuntimeError where partitions are owned and nothing asks the log for them any more.

        To be called with each renewal of the leases: time that passes without any is no sign. The
        error ends the process, and the next one reads from what was committed.
        """
        if self._handing_over or not self.assignment():
            self._still = 0
        self._still += 1
        if self._still > STILL_TICKS:
            owned = sorted(tp.partition for tp in self.assignment())
            raise RuntimeError(f"partitions {owned} are owned, and nothing reads them")
