"""Fields, bodies and answers: what is checked for every operation."""

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from pydantic import Field

from app.core.admin import Role
from app.core.errors import ObjectFault, ObjectUnknown, StateroomError
from app.web.admin.models import Asked, Told
from app.web.admin.operation import AdminCall, Answer, Operation, Replied
from tests.unit.web.admin.plane import Plane, plane_of


class Look(Asked):
    count: Annotated[int, Field(ge=1, le=9)] = 1
    word: list[str] = []  # noqa: RUF012 - pydantic copies it


class Change(Asked):
    number: int
    inner: dict[str, int] = {}  # noqa: RUF012 - likewise


class Seen(Told):
    text: str


class Desk:
    """Operations that tell what they were given."""

    def __init__(self) -> None:
        self.failure: StateroomError | None = None
        self.pieces = [b"a\n", b"b\n"]

    async def look(self, call: AdminCall) -> Seen:
        return Seen(text=repr(call.query))

    async def change(self, call: AdminCall) -> Seen:
        return Seen(text=repr(call.body))

    async def upload(self, call: AdminCall) -> Replied:
        size = sum([len(piece) async for piece in call.stream()])
        return Replied(answer=Seen(text=str(size)), status=202, headers={"x-size": str(size)})

    async def download(self, _call: AdminCall) -> Answer:
        return self.made()

    async def made(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.failure is not None:
            raise self.failure

    def operations(self) -> list[Operation]:
        at = {"role": Role.VIEWER, "tag": "tests", "summary": "None"}
        lines = "application/x-ndjson"
        return [
            Operation(
                name="look",
                method="GET",
                path="/look",
                handle=self.look,
                query=Look,
                answer=Seen,
                **at,  # type: ignore[arg-type]  # of these kinds
            ),
            Operation(
                name="change",
                method="PUT",
                path="/change",
                handle=self.change,
                body=Change,
                answer=Seen,
                **at,  # type: ignore[arg-type]  # likewise
            ),
            Operation(
                name="upload",
                method="POST",
                path="/upload",
                handle=self.upload,
                takes=lines,
                answer=Seen,
                **at,  # type: ignore[arg-type]  # likewise
            ),
            Operation(
                name="download",
                method="GET",
                path="/download",
                handle=self.download,
                gives=lines,
                **at,  # type: ignore[arg-type]  # likewise
            ),
        ]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def plane(desk: Desk) -> AsyncIterator[Plane]:
    async with plane_of(*desk.operations()) as made:
        yield made


async def test_a_query_is_read_as_its_types(plane: Plane) -> None:
    answer = await plane.ask("GET", "/look?count=3&word=a&word=b%20c")
    assert answer.json() == {"text": "Look(count=3, word=['a', 'b c'])"}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("count=0", "?count"),
        ("count=x", "?count"),
        ("count=1&count=2", "?count"),
        ("colour=red", "?colour"),
        ("word=%00", "?word"),
        ("%FF=1", "?"),
        ("&".join(f"word={n}" for n in range(300)), "?"),
    ],
)
async def test_a_field_of_a_query_that_cannot_be_taken_is_named(
    plane: Plane, query: str, pointer: str
) -> None:
    answer = await plane.ask("GET", f"/look?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "fields_invalid")
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", "#"),
        (b"{", "#"),
        (b"[1]", "#"),
        (b"\xff", "#"),
        (b"[" * 300 + b"]" * 300, "#"),
        (b'{"number": NaN}', "#"),
        (b"{}", "#/number"),
        (b'{"number": "5 hush"}', "#/number"),
        (b'{"number": 1, "secret": "hush"}', "#/secret"),
        (b'{"number": 1, "inner": {"a/b~": "hush"}}', "#/inner/a~1b~0"),
    ],
)
async def test_a_field_of_a_body_that_cannot_be_taken_is_named_and_not_quoted(
    plane: Plane, body: bytes, pointer: str
) -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = await plane.ask("PUT", "/change", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "fields_invalid")
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert "hush" not in answer.text


async def test_a_body_of_another_kind_or_size_is_refused(plane: Plane) -> None:
    for kind in ({}, {"content-type": "text/plain"}):
        answer = await plane.ask("PUT", "/change", content=b"{}", headers=kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unknown")
    answer = await plane.ask("PUT", "/change", json={"number": 1, "pad": "x" * 1_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_streamed_body_has_a_bound_of_its_own(plane: Plane) -> None:
    headers = {"content-type": "application/x-ndjson"}
    answer = await plane.ask("POST", "/upload", content=b"x" * 5_000, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"text": "5000"})
    assert answer.headers["x-size"] == "5000"
    answer = await plane.ask("POST", "/upload", content=b"x" * 10_001, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_streamed_answer_comes_whole(plane: Plane) -> None:
    answer = await plane.ask("GET", "/download")
    assert (answer.status_code, answer.content) == (200, b"a\nb\n")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert (await plane.ask("HEAD", "/download")).content == b""


async def test_a_stream_without_pieces_is_an_empty_answer(plane: Plane, desk: Desk) -> None:
    desk.pieces = []
    answer = await plane.ask("GET", "/download")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_stream_that_fails_before_its_first_piece_is_a_problem(
    plane: Plane, desk: Desk
) -> None:
    desk.pieces, desk.failure = [], ObjectUnknown()
    answer = await plane.ask("GET", "/download")
    assert (answer.status_code, answer.json()["code"]) == (404, "object_unknown")


async def test_a_stream_that_fails_later_is_never_complete(plane: Plane, desk: Desk) -> None:
    """The transport of the tests tells an answer that has no end by an assertion."""
    desk.failure = ObjectUnknown()
    with pytest.raises(AssertionError):
        await plane.ask("GET", "/download")


async def test_what_an_object_said_is_not_told(plane: Plane, desk: Desk) -> None:
    desk.pieces, desk.failure = [], ObjectFault("hush")
    answer = await plane.ask("GET", "/download")
    assert (answer.status_code, answer.json()["code"]) == (500, "object_fault")
    assert "hush" not in answer.text


async def test_every_answer_has_its_headers(plane: Plane) -> None:
    ids = set()
    for path, token in (("/look", "x"), ("/nowhere", None), ("/look", None)):
        answer = await plane.ask("GET", path, token=token)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.json()["request_id"] == answer.headers["stateroom-request-id"]
        ids.add(answer.headers["stateroom-request-id"])
    assert len(ids) == 3
