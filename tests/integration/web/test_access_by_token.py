"""Tokens at every door of a running service, with either socket engine."""

from typing import Any

import jwt
import pytest

from app.core.clock import wall_seconds
from app.core.codec import parse_json
from app.sdk import Connection, Request, Response

from .conftest import StartService
from .objects import CLASSES, Speaker
from .running_service import RunningService, ServerKind
from .wire_socket import WireSocket, exchange, request_text

SECRET = "a-secret-of-the-tests-with-enough-bytes"
ROOMS = {"docs/*": "write", "public/*": "read", "speaker:docs-*": "write", "roles:*": "read"}
PAGE = ("Origin", "http://127.0.0.1")


class Roles(Speaker):
    """Tells clients who they are here."""

    def on_connect(self, connection: Connection, request: Request) -> None:
        connection.send(f"{connection.grant.subject} {connection.role} {request.role}")

    def on_request(self, request: Request) -> Response:
        return Response(body=f"{request.grant.subject} {request.role}")


@pytest.fixture(
    scope="module", params=[ServerKind.DIRECT, ServerKind.SERVERS_OWN, ServerKind.ASGI_H11], ids=str
)
def guarded(request: pytest.FixtureRequest, start_service: StartService) -> RunningService:
    return start_service(
        request.param,
        CLASSES | {"roles": Roles},
        room_access="jwt",
        jwt_secret=SECRET,
        jwt_leeway_seconds=0,
    )


def token(*, rooms: dict[str, str] = ROOMS, key: str = SECRET, seconds: float = 600) -> str:
    said = {"sub": "alice", "exp": wall_seconds() + seconds, "stateroom": {"rooms": rooms}}
    return jwt.encode(said, key, algorithm="HS256")


async def refusal(port: int, target: str, **options: Any) -> tuple[int, str]:
    wire = await WireSocket.open(port, target, **options)
    assert wire.answer is not None
    assert wire.answer.headers["content-type"] == "application/problem+json"
    return wire.status, parse_json(wire.answer.body)["code"]


async def test_a_socket_needs_a_token_that_opens_its_room(guarded: RunningService) -> None:
    port = guarded.port
    assert await refusal(port, "/docs/a") == (401, "credential_required")
    assert await refusal(port, "/docs/a?token=x") == (401, "credential_invalid")
    other = token(key="another-secret-of-the-tests-with-enough")
    assert await refusal(port, f"/docs/a?token={other}") == (401, "credential_invalid")
    over = token(seconds=-5)
    assert await refusal(port, f"/docs/a?token={over}") == (401, "credential_expired")
    good = token()
    assert await refusal(port, f"/other?token={good}") == (403, "room_forbidden")
    assert await refusal(port, f"/docs/a/b?token={good}") == (403, "room_forbidden")
    assert await refusal(port, f"/docs%2Fa?token={good}") == (403, "room_forbidden")
    assert await refusal(port, f"/objects/speaker/x?token={good}") == (403, "room_forbidden")
    for target in ("/docs/a", "/public/a", "/objects/speaker/docs-a", "/objects/tinybase/docs%2Fa"):
        assert (await WireSocket.open(port, f"{target}?token={good}")).status == 101


async def test_a_token_comes_in_by_each_way(guarded: RunningService) -> None:
    port, good = guarded.port, token()
    ways: list[dict[str, Any]] = [
        {"headers": [("Authorization", f"Bearer {good}")]},
        {"protocols": ["chat", f"stateroom.token.{good}"]},
        {"protocols": [f"stateroom.token.{good}", "chat"]},
        {"headers": [("Cookie", f"stateroom_token={good}"), PAGE]},
    ]
    for way in ways:
        wire = await WireSocket.open(port, "/objects/roles/a", **way)
        assert wire.status == 101
        assert wire.answer is not None
        if "protocols" in way:
            assert wire.answer.headers["sec-websocket-protocol"] == "chat"
        assert await wire.read_message() == "alice read read"
    no_page = {"headers": [("Cookie", f"stateroom_token={good}")]}
    assert await refusal(port, "/objects/roles/a", **no_page) == (401, "credential_required")


async def test_a_page_is_told_by_the_close_code(guarded: RunningService) -> None:
    for target, told in (
        ("/docs/a", (4401, "credential_required")),
        (f"/docs/a?token={token(seconds=-5)}", (4401, "credential_expired")),
        (f"/other?token={token()}", (4403, "room_forbidden")),
    ):
        wire = await WireSocket.open(guarded.port, target, headers=[PAGE])
        assert wire.status == 101
        assert await wire.closed() == told


async def test_objects_over_http_need_one_too(guarded: RunningService) -> None:
    async def asked(target: str, *headers: tuple[str, str]) -> tuple[int, str]:
        answer = await exchange(guarded.port, request_text("GET", target, headers=headers))
        if answer.status == 200:
            return 200, answer.body.decode()
        if answer.status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
        return answer.status, parse_json(answer.body)["code"]

    good = ("Authorization", f"Bearer {token()}")
    assert await asked("/objects/roles/a") == (401, "credential_required")
    assert await asked("/objects/counter/a", good) == (403, "room_forbidden")
    assert await asked("/objects/roles/a", good) == (200, "alice read")
    assert await asked(f"/objects/roles/a?token={token()}") == (200, "alice read")
    cookie = ("Cookie", f"stateroom_token={token()}")
    assert await asked("/objects/roles/a", cookie) == (401, "credential_required")
    assert await asked("/objects/roles/a", cookie, ("Sec-Fetch-Site", "same-origin")) == (
        200,
        "alice read",
    )


async def with_a_token_of(port: int, *, seconds: float) -> WireSocket:
    """A socket whose token soon ends; a busy machine may be late for the shortest ones."""
    wire = await WireSocket.open(port, f"/objects/roles/b?token={token(seconds=seconds)}")
    if wire.status == 101:
        return wire
    return await with_a_token_of(port, seconds=seconds * 2)


async def test_the_end_of_a_token_closes_its_live_sockets(guarded: RunningService) -> None:
    lasting = await WireSocket.open(guarded.port, f"/objects/roles/b?token={token()}")
    short = await with_a_token_of(guarded.port, seconds=2)
    for wire in (lasting, short):
        assert await wire.read_message() == "alice read read"
    assert await short.closed() == (4401, "credential_expired")
    await lasting.say("all still here")
    assert await lasting.read_message() == "all still here"


async def test_no_token_stands_in_the_log(
    guarded: RunningService, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    shown = [token(rooms={f"docs/{number}": "write"}) for number in range(5)]
    over = token(seconds=-5)
    for number, one in enumerate(shown):
        for headers in ([], [PAGE]):
            target = f"/docs/{number}?token={one}"
            await WireSocket.open(guarded.port, target, headers=headers)
            await WireSocket.open(guarded.port, f"/no?token={one}", headers=headers)
            await WireSocket.open(guarded.port, f"/no?token={over}", headers=headers)
            await WireSocket.open(
                guarded.port, "/a", headers=headers, protocols=["x", f"stateroom.token.{one}x"]
            )
        await exchange(guarded.port, request_text("GET", f"/objects/roles/a?token={one}"))
        await exchange(guarded.port, request_text("GET", f"/objects/counter/raise?token={one}"))
    written = "".join(capfd.readouterr()) + caplog.text
    for one in [*shown, over]:
        assert one not in written
        assert one.rpartition(".")[2] not in written


async def test_each_channel_is_judged_by_its_own_room(guarded: RunningService) -> None:
    hello = 'S\n["h",-1,[0,1]]'
    wire = await WireSocket.open(guarded.port, f"/docs?token={token()}", protocols=["tinybase"])
    assert wire.status == 101
    allowed, forbidden = 'S\n["s",-1,[1,"a"]]', 'S\n["t",-1,[1,"b/c"]]'
    await wire.say(hello, allowed)
    assert await wire.read_message() == hello
    assert await wire.read_message() == allowed
    await wire.say(forbidden)
    assert await wire.closed() == (4403, "room_forbidden")


@pytest.mark.parametrize(
    "target", ["/docs/a", "/objects/roles/a", "/admin/v1/me", "/admin/", "/metrics", "/livez"]
)
async def test_a_name_that_was_rebound_reaches_no_surface(
    guarded: RunningService, target: str
) -> None:
    headers = [("Authorization", f"Bearer {token()}"), ("Origin", "http://evil.example")]
    request = request_text("GET", target, host="evil.example", headers=headers)
    assert (await exchange(guarded.port, request)).status == 421
