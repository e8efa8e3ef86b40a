"""What operators do with the past of an object: make it the present.

A class that has an `on_restore` does it itself, as an event of its instance; the rows of any
other are put back by us, whether there is an instance or not. Which of the two it is, the class
says, so it is asked for by two names.
"""

from typing import Final

from ..core.history import HistoryStand
from ..core.ids import CommitSeq
from .hooks import finish
from .past import RoomPast
from .steering import Manner, SteerAnswer, Steered, SteerHandler, refusing

RESTORE_ROWS: Final = "restore_rows"
RESTORE_BY_CLASS: Final = "restore_by_class"


async def _restore_rows(steered: Steered) -> SteerAnswer:
    """`bookmark`, or `at_ms`."""
    rewinding = steered.rewinding
    with refusing():
        stand, past = await _target(steered)
    before = await rewinding.put_back(past.commit_seq)
    steered.restart()
    return _answer(stand, past, before, await rewinding.commit())


async def _restore_by_class(steered: Steered) -> SteerAnswer:
    """`bookmark`, or `at_ms`."""
    rewinding, instance = steered.rewinding, steered.instance
    assert instance is not None  # noqa: S101 - of the manner INSTANCE; says so to mypy
    with refusing():
        stand, past = await _target(steered)
    await finish(instance.on_restore(past))
    return _answer(stand, past, stand.commit_seq, await rewinding.commit())


async def _target(steered: Steered) -> tuple[HistoryStand, RoomPast]:
    """How the object stands, and what it is to be again."""
    rewinding, meta = steered.rewinding, steered.meta
    rewinding.check()
    stand = await rewinding.settled()
    bookmark = meta.get("bookmark")
    if bookmark is None:
        number = await rewinding.commit_at(stand, int(meta["at_ms"]))
    else:
        number = stand.commit_of(str(bookmark))
    return stand, await rewinding.past(stand, number)


def _answer(
    stand: HistoryStand, past: RoomPast, before: CommitSeq, after: CommitSeq
) -> SteerAnswer:
    return {
        "restored": past.bookmark,
        "undo": stand.bookmark(before),
        "bookmark": stand.bookmark(after),
    }, b""


HISTORY_HANDLERS: Final = (
    SteerHandler(name=RESTORE_ROWS, manner=Manner.TURN, run=_restore_rows),
    SteerHandler(name=RESTORE_BY_CLASS, manner=Manner.INSTANCE, run=_restore_by_class),
)
