"""The first gate, frame by frame: what a socket may say, and how it is closed when it says more.

Each case of the vectors is sent through a real socket X into a relay-only room, in which P is
another client. A third client Z, and X itself, then say something harmless: whatever X and P heard
before that is all that the case caused.
"""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from .raw_peer import MULTIPLEXED, RawPeer, raw_peer
from .server_process import EPHEMERAL_PREFIX, ServerProcess
from .wire_json import Json, loads

VECTORS = Path(__file__).parents[1] / "vectors" / "frames-validity.json"
CASES: list[Json] = loads(VECTORS.read_text())["cases"]
BIG = "a" * 16_777_216
END_OF_X = '\n["end of X",0,[0,0]]'
END_OF_Z = '\n["end of Z",0,[0,0]]'
HELLO_AT_END = 'S\n["end of X",-1,[0,1]]'


def _frame(described: Json) -> str | bytes:
    if isinstance(described, str):
        return described.replace("@BIG", BIG)
    if "hex" in described:
        return bytes.fromhex(described["hex"])
    return str(described["binary"]).encode()


async def _finish_open(x: RawPeer, p: RawPeer, z: RawPeer, *, multiplexed: bool) -> str:
    """Bring everything that X caused to light; return the id of X where the room learns it."""
    sender = ""
    if multiplexed:
        await x.send(HELLO_AT_END)
        await x.take(lambda frame: frame == HELLO_AT_END)
    else:
        await x.send(END_OF_X)
        sender = (await p.take(lambda frame: frame.endswith(END_OF_X))).removesuffix(END_OF_X)
    await _finish_peer(p, z)
    if not multiplexed:
        await x.take(lambda frame: frame.endswith(END_OF_Z))
    return sender


async def _finish_peer(p: RawPeer, z: RawPeer) -> None:
    await z.send(END_OF_Z)
    await p.take(lambda frame: frame.endswith(END_OF_Z))


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=f"{case['mode']}: {case['name']}") for case in CASES],
)
async def test_a_frame_is_accepted_or_refused_as_the_reference_does(
    server: ServerProcess, room: str, case: Json
) -> None:
    multiplexed = case["mode"] == "multiplex"
    url = server.room_url(EPHEMERAL_PREFIX + room)
    peer_url = f"{url}/ch" if multiplexed else url
    async with AsyncExitStack() as stack:
        p = await stack.enter_async_context(raw_peer(peer_url))
        z = await stack.enter_async_context(raw_peer(peer_url))
        x = await stack.enter_async_context(
            raw_peer(url, protocols=[MULTIPLEXED] if multiplexed else [])
        )
        for described in case["frames"]:
            await x.send(_frame(described))
        sender = ""
        if case["closed"] is None:
            sender = await _finish_open(x, p, z, multiplexed=multiplexed)
        else:
            assert [*await x.closed()] == case["closed"]
            await _finish_peer(p, z)
        assert [f for f in x.left_over() if not f.endswith(END_OF_Z)] == case["received"]
        assert p.left_over() == [f.replace("{{X}}", sender) for f in case["peerReceived"]]


def test_there_are_cases_of_both_modes_and_every_outcome() -> None:
    outcomes = {(case["mode"], case["closed"] and case["closed"][1]) for case in CASES}
    assert {
        ("legacy", None),
        ("legacy", "tinybase:14"),
        ("legacy", "tinybase:15:socket"),
        ("legacy", "tinybase:15:fragments"),
        ("multiplex", None),
        ("multiplex", "tinybase:14"),
        ("multiplex", "tinybase:15:channels"),
    } <= outcomes
    assert len(CASES) == 141
