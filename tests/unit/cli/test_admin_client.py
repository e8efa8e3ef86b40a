"""The client against a server that answers what the test says."""

from collections.abc import Callable

import httpx
import pytest

from app.cli.admin_client import AdminClient, ServerRefused, ServerUnreachable
from app.cli.exits import ExitStatus
from app.core.codec import dump_json, parse_json

Answer = Callable[[httpx.Request], httpx.Response]


TOKEN = "a-token"


def client(answer: Answer, token: str = TOKEN) -> AdminClient:
    return AdminClient("http://server/", token, transport=httpx.MockTransport(answer))


def told(status: int, **body: object) -> Answer:
    return lambda _: httpx.Response(status, content=dump_json(body))


def test_a_request_shows_the_token_and_is_below_the_admin_api() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b'{"name":"me"}')

    assert client(answer).get("/me", {"a": None, "live": True}) == {"name": "me"}
    assert str(seen[0].url) == "http://server/admin/v1/me?live=true"
    assert seen[0].headers["authorization"] == "Bearer a-token"


def test_a_quoted_slash_in_a_name_stays_quoted() -> None:
    paths: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200, content=b"{}")

    client(answer).get("/namespaces/tinybase/objects/a%2Fb%25")
    assert paths == [b"/admin/v1/namespaces/tinybase/objects/a%2Fb%25"]


def test_a_problem_is_one_line_with_its_remedy() -> None:
    with pytest.raises(ServerRefused) as caught:
        client(
            told(
                409, code="object_frozen", title="It is frozen", detail="a\n\x1b[2J", remedy="Thaw"
            )
        ).put("/x", 1)
    assert str(caught.value) == (
        "stateroom: error [object_frozen]: It is frozen: a \\u001b[2J. Remedy: Thaw."
    )
    assert caught.value.status is ExitStatus.CONFLICT


@pytest.mark.parametrize(
    ("http", "status"),
    [
        (400, ExitStatus.FAILED),
        (401, ExitStatus.REFUSED),
        (403, ExitStatus.REFUSED),
        (404, ExitStatus.NOT_FOUND),
        (410, ExitStatus.NOT_FOUND),
        (412, ExitStatus.CONFLICT),
        (500, ExitStatus.FAILED),
        (503, ExitStatus.UNREACHABLE),
    ],
)
def test_a_status_of_http_becomes_one_of_the_command(http: int, status: ExitStatus) -> None:
    with pytest.raises(ServerRefused) as caught:
        client(told(http, code="c", title="t")).get("/x")
    assert caught.value.status is status


def test_an_answer_of_something_else_is_told_as_such() -> None:
    for status, content in ((502, b"<html>"), (200, b"<html>"), (302, b"")):
        with pytest.raises(ServerRefused, match="names a Stateroom"):
            client(lambda _, s=status, c=content: httpx.Response(s, content=c)).get("/x")  # type: ignore[misc]  # bound by default


def test_the_fields_that_are_wrong_are_named() -> None:
    errors = [{"pointer": "/limit", "detail": "is too large"}]
    with pytest.raises(ServerRefused, match="/limit is too large"):
        client(told(422, code="fields_invalid", title="No", errors=errors)).get("/x")


def test_reading_is_tried_again_once_when_the_connection_breaks() -> None:
    tries: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request.method)
        if len(tries) == 1:
            raise httpx.ReadError("reset")
        return httpx.Response(200, content=b"1")

    assert client(answer).get("/x") == 1
    assert tries == ["GET", "GET"]


def test_a_change_without_a_key_is_never_sent_twice() -> None:
    tries: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request.method)
        raise httpx.ReadError("reset")

    for change in (client(answer).delete, client(answer).post):
        with pytest.raises(ServerUnreachable):
            change("/x")
    assert tries == ["DELETE", "POST"]


def test_a_creation_is_repeated_under_its_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        raise httpx.ReadError("reset")

    with pytest.raises(ServerUnreachable) as caught:
        client(answer).post("/x", {}, creates=True)
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert caught.value.status is ExitStatus.UNREACHABLE


def test_a_list_is_read_page_by_page_up_to_its_limit() -> None:
    asked: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("cursor", "0"))
        size = min(2, int(request.url.params["limit"]))
        asked.append((request.url.params["limit"], request.url.params.get("cursor")))
        page = {"items": [{"n": at + each} for each in range(size)], "next_cursor": str(at + size)}
        return httpx.Response(200, content=dump_json(page))

    items = list(client(answer).pages("/x", limit=5))
    assert [item["n"] for item in items] == [0, 1, 2, 3, 4]
    assert asked == [("5", None), ("3", "2"), ("1", "4")]


def test_nothing_is_shown_without_a_token_and_bodies_are_json() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        assert request.headers["content-type"] == "application/merge-patch+json"
        return httpx.Response(200, content=dump_json(parse_json(request.content)))

    patched = client(answer, "").patch("/x", {"a": 1}, media_type="application/merge-patch+json")
    assert patched == {"a": 1}
