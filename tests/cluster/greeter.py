"""An object that tells each client who serves it and whom it sees, and echoes."""

import os
from typing import Any

from app.sdk import Connection, DurableObject, Request
from app.sdk.json import dump_json, parse_json


class Greeter(DurableObject):
    """Greets with `{"process", "client", "query"}`; whatever is said comes back."""

    def on_connect(self, connection: Connection, request: Request) -> None:
        greeting = {"process": os.getpid(), "client": request.client, "query": request.query}
        connection.send(dump_json(greeting).decode())

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send(message)


def greeting_of(text: str | bytes) -> dict[str, Any]:
    """What a client is greeted with."""
    found: dict[str, Any] = parse_json(text)
    return found
