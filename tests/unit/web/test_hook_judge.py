"""An author's function decides who comes in."""

import asyncio
from typing import Any

import pytest

from app.core.errors import CredentialExpired, CredentialRequired, JudgeUnavailable, RoomForbidden
from app.core.grants import Grant
from app.sdk import Request, Visit
from app.web.hook_judge import HookJudge

_GRANT = Grant.of({"**": "read"}, subject="alice")


async def _judged(authorize: Any, *, anybody: bool = False, seconds: float = 60.0) -> Grant:
    visit = Visit(namespace="tinybase", name="a", request=Request(), token="" if anybody else "t")
    found = HookJudge(authorize, seconds=seconds).judge(visit)
    return found if isinstance(found, Grant) else await found


async def test_plain_and_async_functions_give_grants() -> None:
    async def later(visit: Visit) -> Grant:
        assert visit.name == "a"
        return _GRANT

    assert await _judged(lambda _visit: _GRANT) is _GRANT
    assert await _judged(later) is _GRANT


async def test_none_is_a_refusal() -> None:
    with pytest.raises(RoomForbidden):
        await _judged(lambda _visit: None)
    with pytest.raises(CredentialRequired):
        await _judged(lambda _visit: None, anybody=True)


async def test_it_may_say_why() -> None:
    async def over(_visit: Visit) -> Grant:
        raise CredentialExpired

    with pytest.raises(CredentialExpired):
        await _judged(over)


async def test_its_faults_let_nobody_in() -> None:
    def broken(_visit: Visit) -> Grant:
        raise ZeroDivisionError

    async def broken_later(_visit: Visit) -> Grant:
        raise ZeroDivisionError

    async def for_ever(_visit: Visit) -> Grant:
        await asyncio.Event().wait()
        return _GRANT

    for authorize, seconds in (
        (broken, 60.0),
        (broken_later, 60.0),
        (for_ever, 0.01),
        (lambda _visit: True, 60.0),
    ):
        with pytest.raises(JudgeUnavailable):
            await _judged(authorize, seconds=seconds)
