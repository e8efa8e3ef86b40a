"""Answers by itself on real sockets: whole frames, on sockets of their own and on channels."""

import asyncio
from typing import ClassVar

import pytest

from app.sdk import Connection, DurableObject
from stateroom.tinybase import TinyBaseRoom

from .conftest import StartService
from .running_service import RunningService, ServerKind
from .wire_socket import WireSocket

HELLO = 'S\n["h",-1,[0,1]]'
OPEN = 'S\n["s",-1,[1,"c"]]'


class Answering(DurableObject):
    """Answers `ping` by itself, and repeats everything else forty times."""

    multiplexers = TinyBaseRoom.multiplexers
    heard: ClassVar[list[str]] = []

    def on_start(self) -> None:
        self.ctx.set_auto_response("ping", "pong")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.heard.append(str(message))
        self.ctx.storage.put("said", str(message))
        connection.send(str(message) * 40)


@pytest.fixture(scope="module")
def service(start_service: StartService, kind: ServerKind) -> RunningService:
    return start_service(kind, {"answering": Answering})


async def test_answers_and_messages_arrive_whole_and_each_kind_in_order(
    service: RunningService, name: str
) -> None:
    wire = await WireSocket.open(service.port, f"/objects/answering/{name}")
    said = ["ping" if number % 3 else f"{number} " for number in range(1_500)]
    sending = asyncio.get_running_loop().create_task(wire.say(*said))
    received = [await wire.read_message() for _ in said]
    await sending
    assert received.count("pong") == said.count("ping")
    assert [text for text in received if text != "pong"] == [
        text * 40 for text in said if text != "ping"
    ]
    assert "ping" not in Answering.heard


async def test_a_channel_of_a_multiplexed_socket_is_answered_on_that_channel(
    service: RunningService, name: str
) -> None:
    wire = await WireSocket.open(service.port, f"/objects/answering/{name}", protocols=["tinybase"])
    await wire.say(HELLO, OPEN)
    assert [await wire.read_message() for _ in range(2)] == [HELLO, OPEN]
    await wire.say("M\nc\nping", "M\nc\nhello ")
    assert await wire.read_message() == "M\nc\npong"
    assert await wire.read_message() == "M\nc\n" + "hello " * 40
