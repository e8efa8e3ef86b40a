"""What a client may do goes with its connection, through sleep and over links."""

from app.cluster.namespaces import make_mount
from app.cluster.remote_requests import request_from, request_meta
from app.core.codec import dump_json, parse_json
from app.core.grants import EVERYTHING, ClientRole, Grant
from app.sdk import Connection, DurableObject, Request
from app.testing.harness import ObjectHarness

_READER = Grant.of({"docs/*": "read"}, subject="alice", credential_id="c1", expires_at=9e9)


class Told(DurableObject):
    """Answers every message with who sent it, and as what."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        del message
        connection.send(f"{connection.grant.subject}:{connection.role}")


def _over_a_link(request: Request) -> Request:
    meta = parse_json(dump_json(request_meta(request)))
    assert isinstance(meta, dict)
    return request_from(meta, b"")


async def test_a_connection_has_the_role_it_came_with_before_and_after_sleep() -> None:
    async with ObjectHarness({"told": make_mount("told", Told, {})}) as harness:
        alice = await harness.connect(
            "told", "docs/a", request=Request(grant=_READER, role=ClientRole.READ)
        )
        bob = await harness.connect("told", "docs/a")
        room = await harness.room("told", "docs/a")
        alice.say("?")
        await harness.settle()
        await room.hibernate()
        assert not room.awake
        alice.say("?")
        bob.say("?")
        await harness.settle()
        assert alice.take() == ["alice:read", "alice:read"]
        assert bob.take() == [":write"]


def test_a_role_crosses_a_link() -> None:
    there = _over_a_link(Request(grant=_READER, role=ClientRole.READ))
    assert (there.grant, there.role) == (_READER, ClientRole.READ)


def test_what_an_open_server_or_an_older_worker_sends_is_open() -> None:
    assert "grant" not in request_meta(Request())
    there = _over_a_link(Request())
    assert there.grant is EVERYTHING
    assert there.role is ClientRole.WRITE
