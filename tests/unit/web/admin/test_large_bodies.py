"""JSON bodies are as large as their operation needs, and large ones are read beside the loop."""

import threading
from typing import Any

from pydantic import model_validator

from app.core.admin import Role
from app.web.admin.models import Asked, Told
from app.web.admin.operation import BODY_BYTES, AdminCall, Operation
from app.wiring.admin import described_operations
from tests.unit.web.admin.plane import plane_of


class Said(Asked):
    """Knows where it was read."""

    value: Any

    @model_validator(mode="after")
    def noted(self) -> "Said":
        READ_AT.append(threading.current_thread())
        return self


class Heard(Told):
    """Nothing."""


READ_AT: list[threading.Thread] = []


async def _heard(_call: AdminCall) -> Heard:
    return Heard()


def hearing(body_bytes: int) -> Operation:
    return Operation(
        name="hear",
        method="POST",
        path="/hear",
        role=Role.VIEWER,
        tag="tests",
        summary="None",
        handle=_heard,
        body=Said,
        body_bytes=body_bytes,
        answer=Heard,
    )


async def test_a_body_over_the_bound_of_its_operation_is_refused() -> None:
    async with plane_of(hearing(100)) as plane:
        plane.endpoint._body_bytes = 1 << 20
        assert (await plane.ask("POST", "/hear", json={"value": "x" * 50})).status_code == 200
        refused = await plane.ask("POST", "/hear", json={"value": "x" * 100})
        assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


async def test_a_large_body_holds_up_nobody() -> None:
    async with plane_of(hearing(1 << 20)) as plane:
        plane.endpoint._body_bytes = 1 << 20
        READ_AT.clear()
        assert (await plane.ask("POST", "/hear", json={"value": "x"})).status_code == 200
        large = {"value": "x" * BODY_BYTES}
        assert (await plane.ask("POST", "/hear", json=large)).status_code == 200
    here, beside = READ_AT
    assert here is threading.current_thread()
    assert beside is not here


async def test_a_body_of_a_million_lists_is_refused_unread() -> None:
    async with plane_of(hearing(1 << 20)) as plane:
        plane.endpoint._body_bytes = 1 << 20
        READ_AT.clear()
        body = b'{"value":[' + b"[]," * 200_000 + b"[]]}"
        json = {"content-type": "application/json"}
        refused = await plane.ask("POST", "/hear", content=body, headers=json)
        assert (refused.status_code, refused.json()["code"]) == (422, "fields_invalid")
    assert not READ_AT


def test_no_operation_reads_a_body_that_would_stop_its_worker() -> None:
    """Parsing is about a second for 20 MB of brackets, and the supervisor waits for less."""
    assert max(each.body_bytes for each in described_operations()) <= 5 << 20
