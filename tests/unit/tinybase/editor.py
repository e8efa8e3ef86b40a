"""A TinyBase room whose Python side a test writes on the spot."""

from typing import Any, ClassVar

from app.sdk import Request, Response
from app.testing.harness import ObjectHarness
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.peers import ROOM


class Editor(TinyBaseRoom):
    """Runs what a test gives it, as a request."""

    step: ClassVar[Any] = None
    result: ClassVar[Any] = None

    def on_request(self, request: Request) -> Response:
        del request
        Editor.result = Editor.step(self)
        return Response()


async def edit(harness: ObjectHarness, step: Any) -> Any:
    Editor.step = step
    await harness.request(ROOM, "a", Request())
    await harness.settle()
    return Editor.result
