"""Who gets a socket and who gets a status: everything is refused before the handshake."""

import pytest

from app.core.codec import parse_json

from .conftest import StartService
from .running_service import RunningService, ServerKind
from .wire_socket import WireSocket, exchange, request_text, upgrade_request

TOKEN = "a-token-of-the-tests"
PROBLEM = "application/problem+json"
QUESTION = 'S\n["q",1,""]'
ANSWER = 'S\n["q",0,[0,0]]'


async def refusal(port: int, target: str | bytes, **options: object) -> tuple[int, str]:
    """Ask for a socket; return status and problem code of the refusal."""
    wire = await WireSocket.open(port, target, **options)  # type: ignore[arg-type]  # handed on
    assert wire.answer is not None
    answer = wire.answer
    await wire.close()
    assert answer.headers["content-type"] == PROBLEM, answer
    problem = parse_json(answer.body)
    assert problem["status"] == answer.status
    return answer.status, problem["code"]


async def accepted(port: int, target: str | bytes, **options: object) -> WireSocket:
    wire = await WireSocket.open(port, target, **options)  # type: ignore[arg-type]  # handed on
    assert wire.status == 101, wire.answer
    return wire


async def answers(wire: WireSocket) -> bool:
    await wire.say(QUESTION)
    return await wire.read_message() == ANSWER


@pytest.mark.parametrize("target", ["/", "/room", "/a/b/", "/a%0Ab", "/a%20b?token=x", "/%6Civez"])
async def test_a_plain_get_on_a_room_is_told_to_upgrade(port: int, target: str) -> None:
    answer = await exchange(port, request_text("GET", target))
    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"
    assert parse_json(answer.body)["code"] == "upgrade_required"


@pytest.mark.parametrize(
    "segment", ["objects", "admin", "internal", "livez", "readyz", "metrics", "demo"]
)
async def test_reserved_segments_are_no_rooms(port: int, segment: str) -> None:
    assert await refusal(port, f"/{segment}") == (404, "not_found")
    assert await refusal(port, f"/{segment}/x?y=1") == (404, "not_found")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a",
        "/a/b/",
        "//",
        "/a%20b",
        "/a%0Ab",
        "/%C3%A9",
        "/livezz",
        "/%6Civez",
        "/objects%2Fx",
    ],
)
async def test_any_other_path_is_a_room_by_its_raw_text(port: int, target: str) -> None:
    wire = await accepted(port, target)
    assert await answers(wire)
    await wire.close()


async def test_paths_are_not_decoded(port: int, name: str) -> None:
    one, other = await accepted(port, f"/{name}/a%2Fb"), await accepted(port, f"/{name}/a/b")
    same = await accepted(port, f"/{name}/a%2Fb?query=1")
    frame = '\n["d",3,[[{}],[{"v":[1]}],1]]'
    await one.say(frame)
    assert str(await same.read_message()).endswith(frame)
    await other.say(QUESTION)
    assert await other.read_message() == ANSWER
    for wire in (one, other, same):
        await wire.close()


async def test_an_object_is_a_room_at_its_other_address(port: int, name: str) -> None:
    one, same = await accepted(port, f"/{name}"), await accepted(port, f"/objects/tinybase/{name}")
    frame = '\n["d",3,[[{}],[{"v":[1]}],1]]'
    await one.say(frame)
    assert str(await same.read_message()).endswith(frame)
    await one.close()
    await same.close()


async def test_unknown_namespaces_are_not_found(port: int) -> None:
    assert await refusal(port, "/objects/nothing/x") == (404, "not_found")
    assert await refusal(port, "/objects/speaker/") == (404, "not_found")
    assert await refusal(port, "/objects/speaker") == (404, "not_found")


async def test_long_names_are_refused_before_the_handshake(port: int) -> None:
    longest = await accepted(port, "/" + "n" * 1024)
    assert await answers(longest)
    await longest.close()
    assert await refusal(port, "/" + "n" * 1025) == (400, "id_invalid")
    assert await refusal(port, "/" + "%C3%A9" * 171) == (400, "id_invalid")
    assert await refusal(port, "/objects/speaker/" + "n" * 1025) == (400, "id_invalid")
    assert await refusal(port, "/objects/speaker/%FF") == (400, "id_invalid")
    decoded = await accepted(port, "/objects/speaker/" + "%C3%A9" * 512)
    await decoded.close()


async def test_an_object_that_cannot_start_refuses_with_a_status(port: int, name: str) -> None:
    assert await refusal(port, f"/objects/broken/{name}") == (500, "object_fault")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "", "http://a, b"])
async def test_pages_of_foreign_origins_are_refused(port: int, origin: str) -> None:
    headers = [("Origin", origin)]
    assert await refusal(port, "/room", headers=headers) == (403, "origin_not_allowed")
    answer = await exchange(port, request_text("GET", "/objects/counter/x", headers=headers))
    assert answer.status == 403


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:1"])
async def test_pages_of_this_machine_are_welcome(port: int, origin: str) -> None:
    wire = await accepted(port, "/room", headers=[("Origin", origin)])
    await wire.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "[", "localhost.evil", "", "a b"]
)
async def test_foreign_host_names_are_refused(port: int, host: str) -> None:
    assert await refusal(port, "/room", host=host) == (421, "host_not_allowed")
    answer = await exchange(port, request_text("GET", "/objects/counter/x", host=host))
    assert answer.status == 421
    answer = await exchange(port, request_text("GET", "/room", host=host))
    assert answer.status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:8000"])
async def test_names_of_this_machine_are_welcome(port: int, host: str) -> None:
    wire = await accepted(port, "/room", host=host)
    await wire.close()


async def test_a_room_takes_the_first_protocol_that_is_offered(port: int, name: str) -> None:
    for offered, chosen in [
        ([], None),
        (["foo", "tinybase"], "foo"),
        (["tinybase", "foo"], "tinybase"),
    ]:
        wire = await accepted(port, f"/{name}", protocols=offered)
        assert wire.answer is not None
        assert wire.answer.headers.get("sec-websocket-protocol") == chosen
        if chosen == "tinybase":
            await wire.say('S\n["h",-1,[0,1]]')
            assert await wire.read_message() == 'S\n["h",-1,[0,1]]'
        else:
            assert await answers(wire)
        await wire.close()


async def test_a_protocol_that_is_no_token_is_refused(port: int) -> None:
    wire = await WireSocket.open(port, "/room", protocols=["bad name"])
    assert wire.status == 400
    await wire.close()


async def test_an_object_hears_what_its_client_asked(port: int, name: str) -> None:
    target = f"/objects/speaker/{name}/told?a=%20b"
    wire = await accepted(port, target, protocols=["one", "two"])
    assert await wire.read_message() == "one,two a=%20b"
    await wire.close()


async def test_what_is_said_at_once_is_heard_in_order(port: int, name: str) -> None:
    wire = await accepted(port, f"/objects/speaker/{name}")
    await wire.say(*[f"message {number}" for number in range(500)])
    assert [await wire.read_message() for _ in range(500)] == [
        f"message {number}" for number in range(500)
    ]
    await wire.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "OPTIONS"])
async def test_other_methods_on_a_room_are_told_to_upgrade(port: int, method: str) -> None:
    answer = await exchange(port, request_text(method, "/room"), bodiless=method == "HEAD")
    assert answer.status == 426


@pytest.fixture(scope="module")
def closed_port(start_service: StartService, kind: ServerKind) -> int:
    found: RunningService = start_service(kind, room_access="token", room_token=TOKEN)
    return found.port


class TestToken:
    """`room_access=token`."""

    @pytest.mark.parametrize("target", ["/room", "/objects/speaker/x", "/objects/tinybase/x"])
    async def test_sockets_need_it(self, closed_port: int, target: str) -> None:
        port = closed_port
        assert await refusal(port, target) == (401, "token_required")
        assert await refusal(port, f"{target}?token=wrong") == (401, "token_required")
        wrong = [("Authorization", "Bearer wrong")]
        assert await refusal(port, target, headers=wrong) == (401, "token_required")
        for options in (
            {"target": f"{target}?a=b&token={TOKEN}"},
            {"target": target, "headers": [("Authorization", f"Bearer {TOKEN}")]},
            {"target": target, "headers": [("authorization", f"bearer  {TOKEN}")]},
        ):
            wire = await accepted(port, **options)
            await wire.close()

    async def test_requests_need_it(self, closed_port: int) -> None:
        target = "/objects/counter/x"
        answer = await exchange(closed_port, request_text("GET", target))
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        right = [("Authorization", f"Bearer {TOKEN}")]
        answer = await exchange(closed_port, request_text("GET", target, headers=right))
        assert answer.status == 200

    @pytest.mark.parametrize(
        "query",
        [
            "token=" + "&a=1" * 200,
            "token",
            "token=%FF%FE",
            "token=" + "x" * 5000,
            "xtoken=" + TOKEN,
            f"Token={TOKEN}",
            f"token=&token={TOKEN}x",
            "token=\xe9",
        ],
    )
    async def test_odd_tokens_are_wrong_tokens(self, closed_port: int, query: str) -> None:
        raw = f"/room?{query}".encode("latin-1")
        if query.isascii():
            assert await refusal(closed_port, raw) == (401, "token_required")
        else:
            wire = await WireSocket.dial(closed_port)
            await wire.send(upgrade_request(raw))
            assert (await wire.read_answer()).status in {400, 401}
            await wire.close()
        answer = await exchange(
            closed_port, request_text("GET", f"/objects/counter/x?{query}"[:6000])
        )
        assert answer.status in {400, 401}

    async def test_health_needs_none(self, closed_port: int) -> None:
        assert (await exchange(closed_port, request_text("GET", "/livez"))).status == 200
