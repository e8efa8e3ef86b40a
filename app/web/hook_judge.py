"""An author's own function decides who comes in: `authorize(visit) -> Grant | None`.

It may be plain or `async`, and has a deadline. What it raises is for the log: the client is told
that it cannot be decided now, and nobody is let in by a fault. A plain function runs on the event
loop, so it must not wait for anything.

When a socket is handed to another worker of the machine, the function is asked there once more.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from ..core.access_errors import AccessRefused, CredentialRequired, JudgeUnavailable, RoomForbidden
from ..core.grants import Grant
from ..sdk.visits import Visit
from .credentials import Judged

_log = structlog.get_logger("stateroom.authorize")

Authorize = Callable[[Visit], Grant | Awaitable[Grant | None] | None]


class HookJudge:
    """A `Judge` by an author's function.

    Args:
        authorize: The function. It may raise `AccessRefused` to say why.
        seconds: How long it may take.
    """

    def __init__(self, authorize: Authorize, *, seconds: float) -> None:
        self._authorize = authorize
        self._seconds = seconds

    def judge(self, visit: Visit) -> Judged:
        """See `Judge.judge`."""
        try:
            answer: Any = self._authorize(visit)
        except AccessRefused:
            raise
        except Exception as error:  # noqa: BLE001 - an author may raise anything
            raise _failed(error) from None
        return self._later(answer, visit) if inspect.isawaitable(answer) else _told(answer, visit)

    async def _later(self, answer: Awaitable[Any], visit: Visit) -> Grant:
        try:
            async with asyncio.timeout(self._seconds):
                told = await answer
        except AccessRefused:
            raise
        except Exception as error:  # noqa: BLE001 - an author may raise anything
            raise _failed(error) from None
        return _told(told, visit)


def _told(answer: Any, visit: Visit) -> Grant:
    if isinstance(answer, Grant):
        return answer
    if answer is None:
        raise RoomForbidden if visit.token else CredentialRequired
    raise _failed(TypeError(f"it returned {type(answer).__name__}, not a Grant or None"))


def _failed(error: Exception) -> JudgeUnavailable:
    # Not its text: it may quote what the client has shown.
    _log.error("authorize_failed", error=type(error).__name__)
    return JudgeUnavailable()
