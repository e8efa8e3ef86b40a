"""Questions to an instance: events whose result leaves through the gate, as a send would.

Whoever asks waits for a future. It is answered when every write that the answer could reveal is
committed, and fails when the event or the room does. A question also knows whether the author's
code has begun on it: one that failed before may be asked again elsewhere, any other may not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..sdk.durable_object import DurableObject
from .admission import Origin
from .faults import as_fault
from .hooks import finish
from .outputs import Release
from .unit import RunningUnit


class Submit(Protocol):
    """Queues an event."""

    def __call__(
        self,
        hook: Callable[[Any], Awaitable[Any] | Any],
        *,
        fail: Callable[[Exception], None],
        size_bytes: int = 0,
        timeout_seconds: float | None = None,
        origin: Origin = Origin.ROOM,
        always: bool = False,
        bare: bool = False,
    ) -> None:
        """`fail` is told when the event could not be run or raised."""
        ...


class Question:
    """One question to an instance.

    Attributes:
        answer: The result, or the StateroomError that came instead of it.
        begun: Whether the author's code has begun on it. Good to read when `answer` has failed:
            what did not begin has left nothing behind and may be asked again.

    Args:
        ended: Called once, in the very step in which it is answered or has failed.
    """

    __slots__ = ("_ended", "answer", "begun")

    def __init__(self, ended: Callable[["Question"], None] | None = None) -> None:
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.begun = False
        self._ended = ended

    def resolve(self, result: Any) -> None:
        """Give the answer; the first one counts."""
        if not self.answer.done():
            self.answer.set_result(result)
            if self._ended is not None:
                self._ended(self)

    def fail(self, error: Exception) -> None:
        """There will be no answer."""
        if not self.answer.done():
            self.answer.set_exception(as_fault(error))
            self.answer.exception()  # a caller that is gone must not be reported as unread
            if self._ended is not None:
                self._ended(self)


def _give_no_answer(_error: Exception) -> None:
    """The error is the answer."""


class Asking:
    """The open questions of one room.

    Args:
        unit: Where answers are staged.
        submit: Queues events.
    """

    __slots__ = ("_questions", "_submit", "_unit")

    def __init__(self, unit: RunningUnit, submit: Submit) -> None:
        self._unit = unit
        self._submit = submit
        self._questions: dict[Question, None] = {}

    def __bool__(self) -> bool:
        """Whether any question is open."""
        return bool(self._questions)

    async def ask(self, hook: Callable[[Any], Awaitable[Any] | Any], *, size_bytes: int = 0) -> Any:
        """Run a hook as an event and return its result. Cancelling leaves the event to run.

        Raises:
            StateroomError: The event could not be run, raised, or was not committed.
        """
        return await self.put(hook, size_bytes=size_bytes).answer

    def put(
        self,
        hook: Callable[[Any], Awaitable[Any] | Any],
        *,
        size_bytes: int = 0,
        timeout_seconds: float | None = None,
        recover: Callable[[Exception], Any] = _give_no_answer,
        ended: Callable[[Question], None] | None = None,
        origin: Origin = Origin.ROOM,
        always: bool = False,
        bare: bool = False,
    ) -> Question:
        """Queue a hook as an event at once; questions are asked in the order they are put.

        One that is answered before its turn, because nobody wants it any more, is not asked.

        Args:
            hook: What runs.
            size_bytes: What it weighs in the mailbox.
            timeout_seconds: How long it may take, if not as long as any event.
            recover: Told the error when the event could not be run, or raised and was undone.
                What it returns, unless None, is the answer, and what it writes is a unit of
                its own.
            ended: Called once, in the very step in which there is an answer or none will be.
            origin: Who asks.
            always: See `Mailbox.put`.
            bare: Whether the hook does without an instance: it gets the one that there is, or
                None.
        """
        question = Question(ended)

        async def run(instance: DurableObject) -> None:
            if question.answer.done() and not question.answer.cancelled():
                return
            question.begun = True
            result = await finish(hook(instance))
            self._unit.stage(Release(lambda: question.resolve(result)))

        def fail(error: Exception) -> None:
            if (result := recover(error)) is not None:
                self._unit.stage(Release(lambda: question.resolve(result)))
                self._unit.finish()
            elif question.begun and self._unit.alive:
                # An error tells of what its event has seen, like an answer.
                self._unit.stage(Release(lambda: question.fail(error)))
                self._unit.finish()
            else:
                question.fail(error)

        self._questions[question] = None
        question.answer.add_done_callback(lambda _answer: self._forget(question))
        self._submit(
            run,
            size_bytes=size_bytes,
            fail=fail,
            timeout_seconds=timeout_seconds,
            origin=origin,
            always=always,
            bare=bare,
        )
        return question

    def _forget(self, question: Question) -> None:
        self._questions.pop(question, None)
        if not self._questions:
            self._questions.clear()  # gives back what it grew to

    def fail_all(self, error: Exception) -> None:
        """Nobody will be answered any more."""
        for question in list(self._questions):
            question.fail(error)
