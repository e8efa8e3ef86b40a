"""WebSockets (M)."""

from typing import Any

from tests.interop.compared.about_events import later, until
from tests.interop.compared.cases import case
from tests.interop.compared.sides import Side

LONGER_THAN_A_REST_SECONDS = 13.0


@case(55)
async def a_message_follows_its_write(side: Side) -> Any:
    async with side.socket("s55") as talk:
        await talk.steps(["put", "a", 1])
    return await side.run("s55", ["get", "a"])


@case(177)
async def sockets_are_found_by_tag(side: Side) -> Any:
    async with side.socket("s177", "red,big"), side.socket("s177", "red"), side.socket("s177"):
        return await side.run("s177", *(["sockets", tag] for tag in (None, "red", "big", "no")))


@case(178)
async def tagged_sockets_are_spoken_to_alone(side: Side) -> Any:
    async with side.socket("s178", "red") as red, side.socket("s178", "blue") as blue:
        await side.run("s178", ["send", "red", "to red"], ["send", "blue", "to blue"])
        return [await red.hear(), await blue.hear()]


@case(179)
async def a_socket_knows_its_tags(side: Side) -> Any:
    async with side.socket("s179", "red,big"):
        return await side.run("s179", ["tags"])


@case(180)
async def an_attachment_is_a_copy(side: Side) -> Any:
    async with side.socket("s180"):
        before = await side.run("s180", ["attachments"])
        inside = await side.run("s180", ["attach_then_change"])
        return [before, inside, await side.run("s180", ["attachments"])]


@case(181)
async def an_attachment_has_a_limit(side: Side) -> Any:
    async with side.socket("s181"):
        return await side.run("s181", ["attach_sized", 16_000], ["attach_sized", 16_400])


@case(183)
async def text_and_bytes_arrive_as_such(side: Side) -> Any:
    async with side.socket("s183") as talk:
        await talk.say("hello")
        await talk.say(b"\x00\xff")
        return [await talk.hear(), list(await talk.hear())]


@case(185)
async def messages_are_heard_in_order(side: Side) -> Any:
    async with side.socket("s185") as talk:
        for number in range(50):
            await talk.say(str(number))
        return [await talk.hear() for _ in range(50)]


@case(187)
async def a_close_is_heard_once(side: Side) -> Any:
    async with side.socket("s187") as talk:
        await talk.steps(["mark", "there"])
        await talk.leave(4001, "bye")
    await until(side, "s187", "closes", 1)
    await later(0.5)
    return await side.run("s187", ["get", "closes"])


@case(188)
async def a_client_that_vanishes_is_heard_once(side: Side) -> Any:
    async with side.socket("s188") as talk:
        await talk.steps(["mark", "there"])
        await talk.vanish()
    await until(side, "s188", "closes", 1)
    await later(0.5)
    return await side.run("s188", ["get", "closes"])


@case(190)
async def a_closed_socket_is_not_listed(side: Side) -> Any:
    async with side.socket("s190") as talk:
        await talk.steps(["mark", "there"])
        await talk.leave(1000, "")
    await until(side, "s190", "closes", 1)
    return await side.run("s190", ["sockets", None])


@case(192)
async def close_codes_and_reasons_have_rules(side: Side) -> Any:
    attempts: list[tuple[int, str]] = [
        *((code, "") for code in (0, 999, 1004, 1005, 1006, 1015, 5000)),
        (1000, "x" * 124),
        (1000, "é" * 62),
    ]
    async with side.socket("s192") as talk:
        refused = await talk.steps(*(["try_close", code, reason] for code, reason in attempts))
        await side.run("s192", ["try_close", 4999, "x" * 123])
        return [refused, await talk.closed()]


@case(193)
async def nothing_is_sent_after_a_close(side: Side) -> Any:
    async with side.socket("s193"):
        return await side.run("s193", ["send_after_close"])


@case(195, waits=True)
async def a_message_wakes_a_resting_object(side: Side) -> Any:
    async with side.socket("s195", ns="resting") as talk:
        before = await talk.steps(["mark", "lost"], ["words"], ["start_count"])
        await later(LONGER_THAN_A_REST_SECONDS)
        return [before, await talk.steps(["words"], ["start_count"])]


@case(196, waits=True)
async def a_request_wakes_a_resting_object_with_its_sockets(side: Side) -> Any:
    async with side.socket("s196", "red", ns="resting") as talk:
        await talk.steps(["attach", "kept"])
        await later(LONGER_THAN_A_REST_SECONDS)
        answer = await side.run(
            "s196",
            ["start_count"],
            ["tags"],
            ["attachments"],
            ["send", None, "good morning"],
            ns="resting",
        )
        return [answer, await talk.hear()]


@case(200)
async def an_abort_closes_the_sockets(side: Side) -> Any:
    async with side.socket("s200") as talk:
        await talk.steps(["mark", "there"])
        await side.run("s200", ["abort"])
        code, _ = await talk.closed()
        return [code == 1000, await side.run("s200", ["sockets", None])]


@case(202, waits=True)
async def a_question_is_answered_without_an_event(side: Side) -> Any:
    await side.run("s202", ["auto_response", "ping", "pong"], ns="resting")
    async with side.socket("s202", ns="resting") as talk:
        for word in ("ping", "Ping", "ping "):
            await talk.say(word)
        heard = [await talk.hear() for _ in range(3)]
        await talk.say("ping")
        await later(LONGER_THAN_A_REST_SECONDS)
        await talk.say("ping")
        heard += [await talk.hear(), await talk.hear()]
        return [sorted(heard), await talk.steps(["start_count"])]


@case(203)
async def a_binary_question_is_a_message(side: Side) -> Any:
    await side.run("s203", ["auto_response", "ping", "pong"])
    async with side.socket("s203") as talk:
        await talk.say(b"ping")
        return list(await talk.hear())


@case(204)
async def an_auto_response_has_a_limit_and_may_be_unset(side: Side) -> Any:
    return await side.run(
        "s204",
        ["auto_response_is"],
        ["auto_response", "ping", "pong"],
        ["auto_response_is"],
        ["auto_response_sized", 2048],
        ["auto_response_sized", 2049],
        ["no_auto_response"],
        ["auto_response_is"],
    )


@case(205)
async def an_auto_response_leaves_its_time(side: Side) -> Any:
    await side.run("s205", ["auto_response", "ping", "pong"])
    async with side.socket("s205") as talk:
        before = await side.run("s205", ["auto_responded"])
        await talk.say("ping")
        await talk.hear()
        return [before, await side.run("s205", ["auto_responded"])]


@case(212)
async def a_broadcast_reaches_every_socket_in_order(side: Side) -> Any:
    async with side.socket("s212") as one, side.socket("s212") as two:
        await side.run("s212", ["send", None, "a"], ["send", None, "b"], ["send", None, "c"])
        return [[await talk.hear() for _ in range(3)] for talk in (one, two)]
