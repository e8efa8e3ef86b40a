"""The end of a credential closes its sockets, asleep or not, and nobody else's."""

from app.cluster.lapses import LOOK_SECONDS, end_lapsed
from app.cluster.namespaces import make_mount
from app.core.grants import Grant
from app.core.tasks import TaskOwner
from app.sdk import Connection, DurableObject, Request
from app.testing.harness import ObjectHarness


class Quiet(DurableObject):
    def on_message(self, connection: Connection, message: str | bytes) -> None:
        del message
        connection.send("here")


def _until(seconds: float) -> Request:
    return Request(grant=Grant.of({"*:**": "write"}, expires_at=seconds))


async def test_sockets_are_closed_when_their_credential_ends_and_not_before() -> None:
    async with ObjectHarness({"quiet": make_mount("quiet", Quiet, {})}) as harness:
        tasks, start = TaskOwner("lapses"), harness.clock.monotonic()
        tasks.start(
            end_lapsed(
                lambda: harness.registry.rooms, clock=harness.clock, now=harness.clock.monotonic
            ),
            name="lapses",
        )
        early = await harness.connect("quiet", "a", request=_until(start + 10))
        late = await harness.connect("quiet", "a", request=_until(start + 20))
        never = await harness.connect("quiet", "a")
        await (await harness.room("quiet", "a")).hibernate()

        over = (4401, "credential_expired")

        def ends() -> list[object]:
            return [early.closed, late.closed]

        async def pass_by(seconds: int) -> None:
            for _ in range(seconds):
                harness.clock.advance(LOOK_SECONDS)
                await harness.settle()

        await pass_by(9)
        assert ends() == [None, None]
        await pass_by(2)
        assert ends() == [over, None]
        early.leave()
        await pass_by(10)
        assert ends() == [over, over]
        never.say("?")
        await harness.settle()
        assert never.take() == ["here"]
        await tasks.close()
