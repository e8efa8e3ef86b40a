"""All recorded cases of the first gate, without sockets."""

from typing import Any

import pytest

from app.sdk.json import parse_json
from tests.unit.tinybase.pure_room import PureSocket
from tests.unit.tinybase.vectors import cases, frame_of

CASES = cases("frames-validity")


def parsed(frames: list[str]) -> list[Any]:
    return [(address, parse_json(rest)) for address, _, rest in (f.partition("\n") for f in frames)]


@pytest.mark.parametrize("case", CASES, ids=[f"{c['mode']}: {c['name']}" for c in CASES])
def test_a_frame_has_the_recorded_outcome(case: dict[str, Any]) -> None:
    socket = PureSocket()
    receive = socket.plain if case["mode"] == "legacy" else socket.multiplexed
    for recorded in case["frames"]:
        if socket.closed is None:
            receive(frame_of(recorded))
    assert socket.closed == case["closed"]
    assert parsed(socket.received) == parsed(case["received"])
    assert socket.peer_received == case["peerReceived"]


def test_every_recorded_case_is_run() -> None:
    assert len(CASES) == 141
