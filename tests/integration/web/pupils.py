"""An object for the tests of what operators do: it caches, has alarms, and keeps its sockets."""

from typing import ClassVar

from app.sdk import AlarmInfo, Connection, DurableObject, Request


class Pupil(DurableObject):
    """Says the word that it has cached; its alarms fail when they are told to."""

    idle_seconds: ClassVar[float] = 600.0
    rung: ClassVar[list[tuple[str, object]]] = []

    async def on_start(self) -> None:
        self.word = await self.ctx.storage.get("word", "none")

    def on_connect(self, connection: Connection, request: Request) -> None:
        if request.query:
            connection.tag(*request.query.split(","))

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        del message
        connection.send(str(self.word))

    async def on_alarm(self, info: AlarmInfo) -> None:
        Pupil.rung.append((info.name, info.payload))
        if info.name == "bad":
            raise ValueError("as told")


class Deaf(DurableObject):
    """Hears no alarms."""


PUPILS = {"pupil": Pupil, "deaf": Deaf}
