"""The whole log of a server that had much to do: JSON lines, and nothing that clients have said."""

from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from app.core.codec import parse_json
from tests.integration.command_line import DEADLINE_SECONDS, Served

pytestmark = pytest.mark.timeout(300)

ROOM_TOKEN = "room-token-hush-0123456789abcdef"
ADMIN_TOKEN = "admin-token-hush-0123456789abcdef"
MARKS = ["hush", "P7AhoBQ----aensN"]
"""In every token, payload, query, header and body below, and nowhere else."""

FRAMES: list[str | bytes] = [
    '\n["T",3,[[{"pets":[{"fido":[{"name":["hush","P7AhoBQ----aensN"]}]}]}],[{}],1]]',
    'S\n["hush",1,""]',
    "hush",
    'nobody\n["T",3,"hush"]',
    b"\xff\xfehush",
    '\n["T",3,' + "[" * 500 + '"hush"',
    "hush" * 3_000_000,
]
CLASS = """
from stateroom import DurableObject, Request, Response


class Who(DurableObject):
    async def on_request(self, request: Request) -> Response:
        self.ctx.storage.put("kept", request.body.decode())
        if request.path == "/broken":
            raise ValueError("the class is broken")
        return Response(body="me")
"""


def speak(url: str) -> None:
    """Say each of the frames on a socket of its own, and see how it ends."""
    for frame in FRAMES:
        with connect(url, open_timeout=DEADLINE_SECONDS, max_size=None) as client:
            try:
                client.send(frame)
                say_something(client)
            except ConnectionClosed:
                pass


def say_something(client: ClientConnection) -> None:
    """Wait until what was said before has been taken."""
    client.send('S\n["over",1,""]')
    while "over" not in str(client.recv(timeout=DEADLINE_SECONDS)):
        pass


def ask(served: Served) -> None:
    """Requests to an object: with and without a token, in order and broken."""
    url = f"{served.url}/objects/who/one"
    for path, token in (("", ROOM_TOKEN), ("/broken", ROOM_TOKEN), ("", "wrong-hush")):
        query = {"token": token, "q": "hush"}
        headers = {"X-Note": "hush", "Cookie": "a=hush"}
        httpx.post(f"{url}{path}", params=query, headers=headers, content=b"hush")
        headers |= {"Authorization": f"Bearer {token}"}
        httpx.post(f"{url}{path}", headers=headers, content=b"hush")


def steer(served: Served) -> None:
    """Operators' requests: understood, not understood, and by nobody who may."""
    one = f"{served.url}/admin/v1/namespaces/who/objects/one/storage/a-key"
    room = f"{served.url}/admin/v1/namespaces/tinybase/objects/room/content"
    for token in (ADMIN_TOKEN, "wrong-hush"):
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "key-1"}
        httpx.put(one, headers=headers, json={"value": "hush"})
        httpx.put(one, headers=headers, content=b'{"hush')
        httpx.patch(room, headers=headers, json={"values": {"word": "hush"}})
        httpx.patch(room, headers=headers, json={"hush": {"hush": ["hush"]}})


@pytest.mark.parametrize("level", ["debug", "info"])
def test_neither_tokens_nor_what_clients_say_are_in_the_log_of_a_busy_server(
    folder: Path, database_url: str, level: str
) -> None:
    (folder / "who.py").write_text(CLASS)
    with Served(
        folder,
        *("--database-url", database_url),
        STATEROOM_NAMESPACES="who=who:Who",
        STATEROOM_ROOM_ACCESS="token",
        STATEROOM_ROOM_TOKEN=ROOM_TOKEN,
        STATEROOM_ADMIN_TOKEN=ADMIN_TOKEN,
        STATEROOM_LOG_LEVEL=level,
    ) as served:
        speak(f"{served.rooms}/room?token={ROOM_TOKEN}&q=hush")
        for token in ("wrong-hush", ""):
            with pytest.raises(InvalidStatus):
                connect(f"{served.rooms}/room?token={token}", open_timeout=DEADLINE_SECONDS)
        ask(served)
        steer(served)
        ended = served.stop()
    assert ended.status == 0
    lines = [line for line in ended.err.splitlines() if line.startswith("{")]
    told = [parse_json(line) for line in lines]
    assert {"event", "level", "logger", "time"} <= set.intersection(*map(set, told))
    assert "object_fault" in {line["event"] for line in told}
    for mark in MARKS:
        assert mark not in ended.err, [line for line in lines if mark in line]
        assert mark not in ended.out
