"""Objects of a real service, on Postgres, call one another; so does whoever embeds it."""

from typing import Any

import pytest

from app.core.codec import parse_json
from app.core.errors import CallDeadlock, ObjectFault
from app.sdk import DurableObject, Request, Response

from .conftest import StartService
from .running_service import RunningService, ServerKind
from .wire_socket import exchange, request_text


class Account(DurableObject):
    """Holds a balance."""

    async def on_start(self) -> None:
        self.balance: int = await self.ctx.storage.get("balance", 0)

    async def add(self, amount: int) -> int:
        if self.balance + amount < 0:
            raise ValueError("not enough")
        self.balance += amount
        self.ctx.storage.put("balance", self.balance)
        return self.balance

    async def deny(self, till: str) -> None:
        await self.ctx.namespace("till").get_by_name(till).moved()


class Till(DurableObject):
    """Moves money between accounts, by HTTP: `/from/to/amount`."""

    async def on_request(self, request: Request) -> Response:
        source, target, amount = request.path.strip("/").split("/")
        accounts = self.ctx.namespace("account")
        left = await accounts.get_by_name(source).add(-int(amount))
        self.ctx.storage.put("moved", await self.moved() + int(amount))
        right = await accounts.get_by_name(target).add(int(amount))
        return Response.json({"left": left, "right": right})

    async def moved(self) -> int:
        moved: int = await self.ctx.storage.get("moved", 0)
        return moved

    async def be_denied(self) -> None:
        await self.ctx.namespace("account").get_by_name("denying").deny(str(self.ctx.id.name))


@pytest.fixture(scope="module")
def bank(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, {"account": Account, "till": Till})


async def call(bank: RunningService, namespace: str, name: str, method: str, *args: Any) -> Any:
    """Call an object from outside, on the service's loop."""

    async def work() -> Any:
        return await getattr(bank.service.outside.stub(namespace, name), method)(*args)

    return await bank.do(work)


async def test_a_request_moves_money_between_two_other_objects(bank: RunningService) -> None:
    await call(bank, "account", "alice", "add", 10)
    target = "/objects/till/front/alice/bob/4"
    answer = await exchange(bank.port, request_text("POST", target))
    assert (answer.status, parse_json(answer.body)) == (200, {"left": 6, "right": 4})
    assert await call(bank, "till", "front", "moved") == 4
    with pytest.raises(ObjectFault, match="ValueError: not enough"):
        await call(bank, "account", "alice", "add", -7)
    assert await call(bank, "account", "alice", "add", 0) == 6


async def test_an_http_client_learns_nothing_of_what_a_called_object_said(
    bank: RunningService,
) -> None:
    answer = await exchange(bank.port, request_text("POST", "/objects/till/back/poor/bob/4"))
    assert answer.status == 500
    assert b"not enough" not in answer.body
    assert await call(bank, "till", "back", "moved") == 0


async def test_a_ring_on_postgres_is_refused(bank: RunningService) -> None:
    with pytest.raises(CallDeadlock, match="account/denying waits for till/side"):
        await call(bank, "till", "side", "be_denied")
