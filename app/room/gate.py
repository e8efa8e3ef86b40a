"""The output gate: nothing leaves before every write it could reveal is committed.

Pure. Batches are numbered 1, 2, 3, ... in the order they are taken. An output made while writes
wait to go into batch n is held until n is confirmed; one made before those writes is not
(reference: durable-objects, section 3). Outputs leave in the order they were made, whatever they
wait for. A broken gate never heals (architecture, invariant 5).
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

OutputT = TypeVar("OutputT")


class HeldOutputs(Generic[OutputT]):
    """What waits for one batch, in the order it was made."""

    __slots__ = ("batch", "outputs", "size_bytes")

    def __init__(self, batch: int, outputs: list[OutputT], size_bytes: int) -> None:
        self.batch = batch
        self.outputs = outputs
        self.size_bytes = size_bytes


class OutputGate(Generic[OutputT]):
    """Holds outputs back; the caller delivers what `offer` and `confirm` return."""

    __slots__ = ("_broken", "_confirmed", "_held", "_required", "held_bytes", "open")

    def __init__(self) -> None:
        self._required = 0  # the batch that outputs made now wait for
        self._confirmed = 0
        self._held: list[HeldOutputs[OutputT]] = []  # of a batch or two
        self._broken = False
        self.open = True
        """Whether an output made now would leave at once."""
        self.held_bytes = 0
        """How much is held back, as the caller told it."""

    @property
    def held(self) -> int:
        """For how many batches outputs are held back."""
        return len(self._held)

    def require(self, batch: int) -> None:
        """Hold every later output until `batch` is confirmed."""
        if batch > self._required:
            self._required = batch
            self.open = self.open and batch <= self._confirmed

    def offer(self, outputs: Sequence[OutputT], *, size_bytes: int = 0) -> Sequence[OutputT]:
        """Take outputs in order; returns those that may leave now: all of them or none."""
        if self._broken:
            return ()
        if self.open:
            return outputs
        held, required = self._held, self._required
        if held and held[-1].batch == required:
            last = held[-1]
            last.outputs.extend(outputs)
            last.size_bytes += size_bytes
        else:
            held.append(HeldOutputs(required, list(outputs), size_bytes))
        self.held_bytes += size_bytes
        return ()

    def confirm(self, batch: int) -> list[OutputT]:
        """Note that batches up to `batch` are committed; returns the outputs that may leave."""
        self._confirmed = batch
        held = self._held
        if not held:
            self.open = not self._broken and self._required <= batch
            return []
        if held[0].batch > batch:
            return []
        first = held.pop(0)
        ready = first.outputs
        self.held_bytes -= first.size_bytes
        while held and held[0].batch <= batch:
            more = held.pop(0)
            ready += more.outputs
            self.held_bytes -= more.size_bytes
        self.open = not held and self._required <= batch
        return ready

    def break_(self) -> None:
        """Drop everything that is held, and everything that will be offered."""
        self._broken = True
        self.open = False
        self._held.clear()
        self.held_bytes = 0
