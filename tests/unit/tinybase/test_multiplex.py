import pytest

from app.sdk.json import dump_json
from app.sdk.multiplexing import Action, Deliver, Fail, Open, Reply, Shut, SocketMultiplexer
from app.tinybase.fragments import OPEN_GROUPS
from app.tinybase.multiplex import CHANNELS_PER_SOCKET, CHANNELS_WITH_TEARDOWN, Multiplexer

HELLO = 'S\n["h",-1,[0,1]]'
MALFORMED = [Fail(code=1007, reason="tinybase:14")]
TOO_MANY = [Fail(code=1013, reason="tinybase:15:channels")]


def subscribe(channel: str, request_id: str = "s") -> str:
    return "S\n" + dump_json([request_id, -1, [1, channel]]).decode()


def unsubscribe(channel: str) -> str:
    return "S\n" + dump_json([None, -1, [2, channel]]).decode()


def greeted(*channels: str) -> Multiplexer:
    multiplexer = Multiplexer()
    receive(multiplexer, HELLO)
    for channel in channels:
        receive(multiplexer, subscribe(channel))
    return multiplexer


def receive(multiplexer: SocketMultiplexer, frame: str, now: float = 0.0) -> list[Action]:
    return list(multiplexer.receive(frame, now))


def test_a_subscription_opens_the_channel_and_carries_its_acknowledgement() -> None:
    assert receive(greeted(), subscribe("a/b")) == [
        Open(channel="a/b", path_suffix="a/b", accepted='S\n["s",-1,[1,"a/b"]]')
    ]


def test_data_is_delivered_without_its_envelope_and_wrapped_on_the_way_back() -> None:
    multiplexer = greeted("ch")
    payload = 'S\n["a",1,""]'
    assert receive(multiplexer, f"M\nch\n{payload}") == [Deliver(channel="ch", payload=payload)]
    assert multiplexer.wrap("ch", payload) == f"M\nch\n{payload}"


def test_a_payload_is_not_judged_by_the_multiplexer() -> None:
    assert receive(greeted("ch"), "M\nch\nnonsense") == [Deliver(channel="ch", payload="nonsense")]


def test_unsubscribing_shuts_the_channel_and_it_can_be_opened_again() -> None:
    multiplexer = greeted("ch")
    assert receive(multiplexer, unsubscribe("ch")) == [Shut(channel="ch")]
    assert receive(multiplexer, unsubscribe("ch")) == []
    assert isinstance(receive(multiplexer, subscribe("ch"))[0], Open)


def test_binary_frames_are_text() -> None:
    assert list(Multiplexer().receive(HELLO.encode(), 0.0)) == [Reply(text=HELLO)]


@pytest.mark.parametrize("version", ["1", "1.0", '"1"', '" 1 "', '"1.0"', "true", "[1]", '["1"]'])
def test_a_version_loosely_equal_to_one_is_taken(version: str) -> None:
    assert isinstance(receive(Multiplexer(), f'S\n["h",-1,[0,{version}]]')[0], Reply)


@pytest.mark.parametrize(
    "version", ["2", '"x"', '"1_0"', '""', "null", "false", "{}", "[]", "[true]", '"\ufffc"']
)
def test_another_version_is_refused(version: str) -> None:
    assert receive(Multiplexer(), f'S\n["h",-1,[0,{version}]]') == MALFORMED


def test_control_frames_before_hello_are_ignored() -> None:
    multiplexer = Multiplexer()
    assert receive(multiplexer, subscribe("a//b")) == []
    assert receive(multiplexer, unsubscribe("x" * 2000)) == []


def test_a_channel_id_that_is_too_long_is_an_overflow_before_its_form_is_looked_at() -> None:
    long = "?" * 1025
    assert receive(greeted(), subscribe(long)) == TOO_MANY
    assert receive(greeted(), unsubscribe(long)) == TOO_MANY
    assert receive(greeted(), f"M\n{long}\nS\n") == TOO_MANY
    assert receive(greeted(), subscribe("é" * 513)) == TOO_MANY


@pytest.mark.parametrize("channel", ["", "/a", "a/", "a//b", ".", "a/../b", "a?", "a#b", "a\nb"])
def test_a_bad_channel_id_is_refused(channel: str) -> None:
    assert receive(greeted(), subscribe(channel)) == MALFORMED
    assert receive(greeted(), unsubscribe(channel)) == MALFORMED


def test_the_undefined_text_is_no_channel_id_and_no_request_id() -> None:
    assert receive(greeted(), subscribe("\ufffc")) == MALFORMED
    assert receive(greeted(), subscribe("a", "\ufffc")) == MALFORMED


def test_channels_being_torn_down_count_until_they_are_finished() -> None:
    multiplexer = greeted()
    for number in range(CHANNELS_WITH_TEARDOWN):
        assert isinstance(receive(multiplexer, subscribe(f"c{number}"))[0], Open)
        receive(multiplexer, unsubscribe(f"c{number}"))
    multiplexer.finished("c0")
    assert isinstance(receive(multiplexer, subscribe("x"))[0], Open)
    assert receive(multiplexer, subscribe("y")) == TOO_MANY


def test_a_hundred_channels_are_the_most() -> None:
    multiplexer = greeted(*(f"c{number}" for number in range(CHANNELS_PER_SOCKET)))
    assert isinstance(receive(multiplexer, subscribe("c0"))[0], Reply)
    assert receive(multiplexer, subscribe("x")) == TOO_MANY


def test_the_quota_of_fragment_groups_is_shared_by_the_channels_of_a_socket() -> None:
    multiplexer = greeted("a", "b")
    for number in range(OPEN_GROUPS):
        channel = "ab"[number % 2]
        frame = f"M\n{channel}\nS\n{number:016d}\n0\n2\nx"
        assert isinstance(receive(multiplexer, frame)[0], Deliver)
    one_more = "M\nb\nS\nxxxxxxxxxxxxxxxx\n0\n2\nx"
    assert receive(multiplexer, one_more, 0.5) == [Fail(code=1013, reason="tinybase:15:fragments")]


def test_the_groups_of_a_channel_that_is_shut_no_longer_count() -> None:
    multiplexer = greeted("a", "b")
    for number in range(OPEN_GROUPS):
        receive(multiplexer, f"M\na\nS\n{number:016d}\n0\n2\nx")
    receive(multiplexer, unsubscribe("a"))
    assert isinstance(receive(multiplexer, "M\nb\nS\nxxxxxxxxxxxxxxxx\n0\n2\nx")[0], Deliver)


def test_an_oversized_fragment_is_an_overflow_of_the_socket_here() -> None:
    frame = "M\nch\nS\n0123456789abcdef\n0\n2\n" + "x" * 16_777_216
    assert receive(greeted("ch"), frame) == [Fail(code=1013, reason="tinybase:15:socket")]
