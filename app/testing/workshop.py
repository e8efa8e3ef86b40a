"""The workshop of tests: everything is done at once, in the calling step."""

from collections.abc import Callable
from typing import TypeVar

from ..core.workshop import Workshop

ResultT = TypeVar("ResultT")


class InlineWorkshop(Workshop):
    """See the module."""

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """See `Workshop.run`."""
        return work()
