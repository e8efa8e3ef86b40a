"""Questions to objects of this worker, each asked once at most.

An object is found again and again until the author's code has begun on the question; from then
on a failure is told to whoever asked, who alone can know whether asking again does harm. That
holds here and over links, where the failure travels with the word whether it had begun.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, NamedTuple, TypeVar

from ..core.errors import LeaseLost, OwnershipLost, RoomAborted, StateroomError
from ..core.ids import ObjectId
from ..core.pipes import BytePipe
from ..core.values import Receipt
from ..room.asking import Question
from ..room.room import Room
from .link_errors import NotBegun
from .registry import RoomRegistry

ResultT = TypeVar("ResultT")


class Answered(NamedTuple):
    """What a question came to, and where the committed state stood then."""

    result: Any
    receipt: Receipt


class Outcome(Generic[ResultT]):
    """How a call ended that had begun: a result, or an error that must not lead to another try."""

    __slots__ = ("_error", "_result")

    def __init__(self, result: ResultT | None, error: StateroomError | None) -> None:
        self._result = result
        self._error = error

    def get(self) -> ResultT:
        """Return the result.

        Raises:
            StateroomError: It failed.
        """
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # of a call without an error


async def ask_here(
    registry: RoomRegistry, object_id: ObjectId, put: Callable[[Room], Question]
) -> Answered:
    """Ask the object's room on this worker, which is made if need be.

    Cancelled before the author's code has begun, the question is not asked any more.

    Raises:
        NotBegun: It could not be asked; nothing has happened.
        StateroomError: It was asked, and failed.
    """
    try:
        room = await registry.room(object_id)
    except StateroomError as error:
        raise NotBegun(error) from error
    question = put(room)
    try:
        result = await answer_of(question)
    except StateroomError as error:
        if question.begun:
            raise
        raise NotBegun(wrong_place(error)) from error
    return Answered(result, room.lane.receipt)


async def answer_of(question: Question) -> Any:
    """Wait for the answer; cancelled, the question is withdrawn as far as it can be.

    Raises:
        StateroomError: There will be none.
    """
    try:
        await asyncio.wait([question.answer])
    except asyncio.CancelledError:
        if question.begun:
            question.answer.add_done_callback(_leave_unheard)
        else:
            question.fail(RoomAborted("nobody waits for the answer any more"))
        raise
    return question.answer.result()


def _leave_unheard(answer: "asyncio.Future[Any]") -> None:
    """Nobody waits for this answer: what it would go on to say is not asked for."""
    if not answer.cancelled() and answer.exception() is None:
        body = getattr(answer.result(), "body", None)
        if isinstance(body, BytePipe):
            body.close()


def wrong_place(error: StateroomError) -> StateroomError:
    """What a question that had not begun failed with, as the finder understands it.

    A room that has lost its object is no place for the question any more, but another one is.
    """
    if isinstance(error, OwnershipLost | LeaseLost):
        return RoomAborted(error.detail)
    return error


async def once_begun(asking: Awaitable[ResultT]) -> Outcome[ResultT]:
    """Await a call, and raise only what happened before it had begun.

    `OwnerFinder.reach` looks again for the object when what it was given raises; what is
    returned ends the search.

    Raises:
        StateroomError: It had not begun.
    """
    try:
        return Outcome(await asking, None)
    except NotBegun as refused:
        raise refused.error from refused
    except StateroomError as error:
        return Outcome(None, error)
