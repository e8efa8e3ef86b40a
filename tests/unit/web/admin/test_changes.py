"""Changes: each has its record, and a repeated one is run once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.admin import Role
from app.core.admin_tokens import TokenText
from app.core.errors import Overloaded, StoreUnavailable
from app.web.admin.models import Asked, Told
from app.web.admin.operation import AdminCall, Operation
from tests.unit.web.admin.plane import Plane, plane_of


class Wanted(Asked):
    text: str
    secret: str = ""


class Made(Told):
    number: int


class Workshop:
    """An operation that makes things, and can be held or made to fail."""

    def __init__(self) -> None:
        self.made = 0
        self.failure: Exception | None = None
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()

    async def make(self, call: AdminCall) -> Made:
        assert call.body.text
        self.begun.set()
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        self.made += 1
        return Made(number=self.made)

    def operation(self) -> Operation:
        return Operation(
            name="make_thing",
            method="POST",
            path="/namespaces/{namespace}/objects/{object}/things",
            role=Role.OPERATOR,
            tag="tests",
            summary="Make a thing",
            handle=self.make,
            body=Wanted,
            answer=Made,
            status=201,
            creates=True,
        )


PATH = "/namespaces/notes/objects/a%2Fb/things"


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
async def plane(workshop: Workshop) -> AsyncIterator[Plane]:
    async with plane_of(workshop.operation()) as made:
        yield made


async def test_a_change_has_a_record_with_who_what_and_result(plane: Plane) -> None:
    answer = await plane.ask("POST", PATH, json={"text": "x", "secret": "hush"})
    assert (answer.status_code, answer.json()) == (201, {"number": 1})
    audit = await plane.ask("GET", "/audit")
    (record,) = audit.json()["items"]
    assert record["id"] == answer.headers["stateroom-request-id"]
    assert (record["caller"], record["role"], record["operation"]) == (
        "settings",
        "admin",
        "make_thing",
    )
    assert (record["namespace"], record["object"], record["path"]) == ("notes", "a/b", PATH)
    assert (record["status"], record["code"]) == (201, "")
    assert "hush" not in audit.text


async def test_looks_have_no_record(plane: Plane) -> None:
    await plane.ask("GET", "/me")
    await plane.ask("GET", "/audit")
    assert await plane.audit() == []


async def test_what_was_refused_has_a_record_too(plane: Plane, workshop: Workshop) -> None:
    viewer = await plane.token(Role.VIEWER)
    assert (await plane.ask("POST", PATH, json={"text": "x"}, token=viewer)).status_code == 403
    assert (await plane.ask("POST", PATH, json={"tex": "x"})).status_code == 422
    assert (await plane.ask("POST", PATH, content=b"{}")).status_code == 415
    assert (await plane.ask("POST", PATH, json={"text": "x" * 2_000})).status_code == 413
    workshop.failure = RuntimeError("hush")
    failed = await plane.ask("POST", PATH, json={"text": "x"})
    assert (failed.status_code, failed.json()["code"]) == (500, "internal")
    assert "hush" not in failed.text
    assert [record[2:] for record in await plane.audit()] == [
        (403, "role_too_low"),
        (422, "fields_invalid"),
        (415, "media_type_unknown"),
        (413, "body_too_large"),
        (500, "internal"),
    ]


async def test_without_a_token_there_is_no_record_that_could_fill_the_table(plane: Plane) -> None:
    assert (await plane.ask("POST", PATH, json={"text": "x"}, token=None)).status_code == 401
    assert await plane.audit() == []


async def test_a_change_whose_record_cannot_be_written_is_not_begun(
    plane: Plane, workshop: Workshop
) -> None:
    plane.database.away = True
    answer = await plane.ask("POST", PATH, json={"text": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    plane.database.away = False
    assert workshop.made == 0


async def test_a_change_that_was_cut_short_has_a_record_without_a_result(
    plane: Plane, workshop: Workshop
) -> None:
    workshop.free.clear()
    request = plane.tasks.start(plane.ask("POST", PATH, json={"text": "x"}), name="request")
    await workshop.begun.wait()
    assert await plane.audit() == [("settings", "make_thing", None, "")]
    request.cancel()
    await asyncio.wait({request})
    assert await plane.audit() == [("settings", "make_thing", None, "")]


async def test_a_repeated_request_gets_the_same_answer_and_runs_once(
    plane: Plane, workshop: Workshop
) -> None:
    first = await plane.ask("POST", PATH, json={"text": "x"}, key="k-1")
    again = await plane.ask("POST", PATH, json={"text": "x"}, key="k-1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["stateroom-replayed"] == first.headers["stateroom-request-id"]
    assert "stateroom-replayed" not in first.headers
    assert workshop.made == 1
    assert len(await plane.audit()) == 1
    other = await plane.ask("POST", PATH, json={"text": "x"}, key="k-2")
    assert other.json() == {"number": 2}


async def test_a_key_that_was_used_for_another_request_is_refused(plane: Plane) -> None:
    await plane.ask("POST", PATH, json={"text": "x"}, key="k")
    for path, body in ((PATH, {"text": "y"}), (PATH.replace("notes", "others"), {"text": "x"})):
        answer = await plane.ask("POST", path, json=body, key="k")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_belongs_to_its_caller(plane: Plane, workshop: Workshop) -> None:
    await plane.ask("POST", PATH, json={"text": "x"}, key="k")
    token = await plane.token(Role.OPERATOR)
    answer = await plane.ask("POST", PATH, json={"text": "x"}, key="k", token=token)
    assert (answer.status_code, workshop.made) == (201, 2)


async def test_a_key_does_not_pass_to_a_later_token_of_the_same_name(
    plane: Plane, workshop: Workshop
) -> None:
    for _ in range(2):
        text = TokenText.new()
        made = await plane.tokens.add(
            text, name="deploy", role=Role.OPERATOR, by="tests", expires_at=None
        )
        assert made is not None
        answer = await plane.ask("POST", PATH, json={"text": "x"}, key="k", token=str(text))
        assert answer.status_code == 201
        await plane.tokens.revoke(text.token_id)
    assert workshop.made == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_key_that_cannot_be_taken_is_refused(plane: Plane, key: str) -> None:
    answer = await plane.ask("POST", PATH, json={"text": "x"}, key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_invalid")


async def test_of_twins_at_once_one_runs_and_the_other_is_told_to_come_back(
    plane: Plane, workshop: Workshop
) -> None:
    workshop.free.clear()
    first = plane.tasks.start(plane.ask("POST", PATH, json={"text": "x"}, key="k"), name="first")
    await workshop.begun.wait()
    twin = await plane.ask("POST", PATH, json={"text": "x"}, key="k")
    assert (twin.status_code, twin.json()["code"]) == (409, "request_under_way")
    workshop.free.set()
    assert (await first).status_code == 201
    again = await plane.ask("POST", PATH, json={"text": "x"}, key="k")
    assert (again.status_code, workshop.made) == (201, 1)


async def test_a_request_that_was_cut_short_is_never_run_again(
    plane: Plane, workshop: Workshop
) -> None:
    workshop.free.clear()
    cut = plane.tasks.start(plane.ask("POST", PATH, json={"text": "x"}, key="k"), name="cut")
    await workshop.begun.wait()
    cut.cancel()
    await asyncio.wait({cut})
    workshop.free.set()
    plane.clock.advance(3_600)
    again = await plane.ask("POST", PATH, json={"text": "x"}, key="k")
    assert (again.status_code, again.json()["code"]) == (409, "request_outcome_unknown")
    assert workshop.made == 0


async def test_a_request_that_did_nothing_gives_its_key_back(
    plane: Plane, workshop: Workshop
) -> None:
    workshop.failure = Overloaded()
    assert (await plane.ask("POST", PATH, json={"text": "x"}, key="k")).status_code == 503
    workshop.failure = None
    assert (await plane.ask("POST", PATH, json={"text": "x"}, key="k")).status_code == 201


async def test_a_request_that_may_have_done_something_keeps_its_key(
    plane: Plane, workshop: Workshop
) -> None:
    workshop.failure = StoreUnavailable()
    assert (await plane.ask("POST", PATH, json={"text": "x"}, key="k")).status_code == 503
    workshop.failure = None
    assert (await plane.ask("POST", PATH, json={"text": "x"}, key="k")).status_code == 409
    assert workshop.made == 0
