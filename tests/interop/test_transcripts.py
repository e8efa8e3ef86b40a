"""Recorded sessions with TinyBase's own server, repeated against the server under test."""

from contextlib import AsyncExitStack

import pytest

from .client_host import ClientHost
from .literal_replay import LiteralReplay
from .server_process import EPHEMERAL_PREFIX, RELAY_PREFIX, ServerProcess
from .transcript import RoomNames, assert_server_has, load_transcripts, put_persisted, rooms_of
from .twin_replay import TwinReplay
from .wire_json import Json

LITERAL = load_transcripts("literal")
ILLUSTRATIVE = load_transcripts("illustrative")


def _prefix(transcript: Json, with_replica: str) -> str:
    return with_replica if transcript["server"]["persister"] else EPHEMERAL_PREFIX


async def _prepare(server: ServerProcess, transcript: Json, prefix: str) -> RoomNames:
    for path, content in (transcript["server"]["persisted"] or {}).items():
        await put_persisted(server.room_url(prefix + path), content)
    return RoomNames(prefix=prefix, rooms=rooms_of(transcript))


async def _assert_final(server: ServerProcess, transcript: Json, prefix: str) -> None:
    for path, expected in transcript["final"]["server"].items():
        await assert_server_has(server.room_url(prefix + path), expected)


@pytest.mark.parametrize(("name", "transcript"), LITERAL, ids=[name for name, _ in LITERAL])
async def test_a_scripted_session_gets_exactly_the_recorded_frames(
    server: ServerProcess, room: str, name: str, transcript: Json
) -> None:
    del name
    prefix = f"{_prefix(transcript, RELAY_PREFIX)}{room}/"
    names = await _prepare(server, transcript, prefix)
    async with AsyncExitStack() as stack:
        receipts = bool(transcript["server"]["persister"])
        replay = LiteralReplay(url=server.url, receipts=receipts, names=names, stack=stack)
        await replay.run(transcript["events"])
    await _assert_final(server, transcript, prefix)


@pytest.mark.parametrize("with_replica", ["", RELAY_PREFIX], ids=["hub", "relay"])
@pytest.mark.parametrize(
    ("name", "transcript"), ILLUSTRATIVE, ids=[name for name, _ in ILLUSTRATIVE]
)
async def test_real_clients_end_where_the_recorded_ones_did(
    server: ServerProcess,
    host: ClientHost,
    room: str,
    name: str,
    transcript: Json,
    with_replica: str,
) -> None:
    del name
    prefix = f"{_prefix(transcript, with_replica)}{room}/"
    names = await _prepare(server, transcript, prefix)
    replay = TwinReplay(
        host=host,
        url=server.url,
        names=names,
        receipts=bool(transcript["server"]["persister"]),
    )
    await replay.run(transcript)
    final = transcript["final"]
    await replay.expect(final["clients"])
    await replay.leave()
    await _assert_final(server, transcript, prefix)


def test_the_transcripts_of_both_kinds_are_there() -> None:
    assert [name for name, _ in LITERAL] == [
        "multiplex-reconnect-and-legacy-ws-options",
        "raw-pull",
        "raw-queries",
        "raw-random",
    ]
    assert len(ILLUSTRATIVE) == 9
