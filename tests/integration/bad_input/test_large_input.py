"""Too much of everything: refused with its code, or stored and found again after a kill.

A witness syncs in another room of the worker all the while. How long its changes took is
printed (run with -s), not asserted: the machine may be busy.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
import pytest

from app.tinybase.bodies import RESPONSE
from tests.integration.web.patience import until
from tests.integration.web.wire_socket import WireSocket, text_frame

from .attacked_server import AttackedServer
from .contents import Cells, cells, hashes, receipt
from .witness import witness

MB = 1 << 20
HELLO = 'S\n["h",-1,[0,1]]'
HLC = "Nn1JUF-----7JQY8"
TINY_ROWS = 100_000
MANY_ROWS = 250_000
HEAVY_ROWS = 700_000
"""About as many as a frame of 16 MiB holds."""


@asynccontextmanager
async def undisturbed(server: AttackedServer, what: str) -> AsyncIterator[None]:
    async with witness(server.port, f"witness-{abs(hash(what))}") as pair:
        yield
    figures = f"median {pair.median_ms:.0f} ms, slowest {pair.slowest_ms:.0f} ms"
    rss = server.rss_bytes() // MB
    print(f"{what}: another room {pair.changes} changes, {figures}; RSS {rss} MB")  # noqa: T201 - for the report


def change(tables: str, number: int = 0) -> str:
    return f'\n["d{number}",3,[[{{{tables}}}],[{{}}],1]]'


def row(table: str, row_id: str, row_cells: str) -> str:
    return f'"{table}":[{{"{row_id}":[{{{row_cells}}}]}}]'


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Messages that end in a close."""

    messages: Callable[[], list[str]]
    code: int
    reason: str | None
    protocols: tuple[str, ...] = ()


def group_name(number: int) -> str:
    return f"{number:-<16}"


def pieces(group: int, total: int, count: int, piece: str = "x") -> list[str]:
    return [f"\n{group_name(group)}\n{index}\n{total}\n{piece}" for index in range(count)]


def channels(count: int) -> list[str]:
    return [HELLO, *(f'S\n["s{number}",-1,[1,"channel{number}"]]' for number in range(count))]


REFUSED = {
    "a frame of 17 MiB": Refused(
        messages=lambda: ["\n" + "x" * (17 * MB)], code=1013, reason="tinybase:15:socket"
    ),
    "a fragment of 17 MiB": Refused(
        messages=lambda: pieces(1, 2, 1, "x" * (17 * MB)),
        code=1013,
        reason="tinybase:15:fragments",
    ),
    "a frame of 21 MiB": Refused(messages=lambda: ["\n" + "x" * (21 * MB)], code=1009, reason=None),
    "1,001 fragments": Refused(
        messages=lambda: pieces(1, 1001, 1), code=1013, reason="tinybase:15:fragments"
    ),
    "101 open groups": Refused(
        messages=lambda: [text for n in range(101) for text in pieces(n, 2, 1)],
        code=1013,
        reason="tinybase:15:fragments",
    ),
    "17 MiB of fragments": Refused(
        messages=lambda: pieces(1, 100, 35, "x" * (MB // 2)),
        code=1013,
        reason="tinybase:15:fragments",
    ),
    "1,000 fragments that are no message": Refused(
        messages=lambda: pieces(1, 1000, 1000, "[" * 1000), code=1007, reason="tinybase:14"
    ),
    "101 channels": Refused(
        messages=lambda: channels(101),
        code=1013,
        reason="tinybase:15:channels",
        protocols=("tinybase",),
    ),
    "a channel of 2 KB": Refused(
        messages=lambda: [HELLO, f'S\n["s",-1,[1,"{"c" * 2000}"]]'],
        code=1013,
        reason="tinybase:15:channels",
        protocols=("tinybase",),
    ),
    "a control frame of 15 MiB": Refused(
        messages=lambda: [f'S\n["s",-1,[{"[]," * (5 * MB)}1]]'],
        code=1007,
        reason="tinybase:14",
        protocols=("tinybase",),
    ),
    "nesting 1,000,000 deep": Refused(
        messages=lambda: ["\n" + "[" * 1_000_000 + "]" * 1_000_000],
        code=1007,
        reason="tinybase:14",
    ),
    "a cell nested 300 deep": Refused(
        messages=lambda: [change(row("t", "r", f'"c":[{"[" * 300}{"]" * 300}]'))],
        code=1007,
        reason="tinybase:14",
    ),
    "a number of a million digits": Refused(
        messages=lambda: [change(row("t", "r", f'"c":[{"9" * 1_000_000}]'))],
        code=1007,
        reason="tinybase:14",
    ),
    "250,000 tables in a broken answer": Refused(
        messages=lambda: [
            '\n["x",0,[[{'
            + ",".join(f'"{n:x}":[{{"":[{{"":[1]}}]}}]' for n in range(250_000))
            + '}],{"a":-1}]]'
        ],
        code=1007,
        reason="tinybase:14",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_too_much_is_refused_with_its_code(
    server: AttackedServer, room: str, what: str
) -> None:
    case = REFUSED[what]
    messages = case.messages()
    async with undisturbed(server, what):
        wire = await WireSocket.open(server.port, f"/{room}", protocols=case.protocols)
        wire.write(b"".join(text_frame(text) for text in messages))
        code, reason = await wire.closed()
    assert code == case.code
    assert case.reason in {None, reason}


async def test_fragments_that_never_become_whole_are_forgotten(
    server: AttackedServer, room: str
) -> None:
    before = server.rss_bytes()
    wires = [await WireSocket.open(server.port, f"/{room}") for _ in range(8)]
    async with undisturbed(server, "120 MB of fragments that never become whole"):
        for wire in wires:
            await wire.send(
                b"".join(text_frame(text) for text in pieces(1, 1000, 150, "x" * 100_000))
            )
            await receipt(wire)
        await server.rss_below(before + 40 * MB)
        # The memory may be free before the last group's second is over.
        await asyncio.sleep(1.5)  # noqa: TID251 - the server's own time-out has to pass
        for wire in wires:  # a late rest begins a new group, on the same socket
            await wire.say(pieces(1, 1000, 1)[0])
            await receipt(wire)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Messages that are taken, and some of what must be found again."""

    messages: Callable[[], list[str]]
    expected: Callable[[], Cells]
    count: int | None = None


LONG_ID, HUGE_ID = "k" * 5_000, "h" * 1_000_000
TEN_MB = "0123456789" * MB
PROTO_ROW = '"__proto__":[1,"' + HLC + '"],"constructor":["c"],"":[null]'


def tiny_rows(count: int) -> Stored:
    """Rows of one cell, all in one frame."""
    rows = ",".join(f'"{number:x}":[{{"":[1]}}]' for number in range(count))
    return Stored(
        messages=lambda: [change(f'"t":[{{{rows}}}]')],
        expected=lambda: {("t", "0", ""): 1, ("t", f"{count - 1:x}", ""): 1},
        count=count,
    )


STORED = {
    "row ids of 5 KB": Stored(
        messages=lambda: [change(row("t", f"{LONG_ID}{n}", f'"c":[{n}]'), n) for n in range(10)],
        expected=lambda: {("t", f"{LONG_ID}{n}", "c"): n for n in range(10)},
        count=10,
    ),
    "ids of 1 MB": Stored(
        messages=lambda: [change(row(HUGE_ID, HUGE_ID, f'"{HUGE_ID}":[1]'))],
        expected=lambda: {(HUGE_ID, HUGE_ID, HUGE_ID): 1},
        count=1,
    ),
    "a cell of 10 MB": Stored(
        messages=lambda: [change(row("t", "r", f'"c":["{TEN_MB}"]'))],
        expected=lambda: {("t", "r", "c"): TEN_MB},
        count=1,
    ),
    "a row that grows over 16 MiB": Stored(
        messages=lambda: [
            change(row("t", "r", f'"c{n}":["{"g" * MB}","{HLC}"]'), n) for n in range(18)
        ],
        expected=lambda: {("t", "r", f"c{n}"): "g" * MB for n in range(18)},
        count=18,
    ),
    "100,000 tiny rows": tiny_rows(TINY_ROWS),
    "a row of 300,000 cells, changed again": Stored(
        messages=lambda: [
            change(row("t", "r", ",".join(f'"{n}":[{n}]' for n in range(300_000)))),
            *[change(row("t", "r", f'"7":["again {n}"]'), n) for n in range(10)],
        ],
        expected=lambda: {("t", "r", "7"): "again 9", ("t", "r", "8"): 8},
        count=300_000,
    ),
    "names that mean something elsewhere": Stored(
        messages=lambda: [change(f'"__proto__":[{{"__proto__":[{{{PROTO_ROW}}}]}}]')],
        expected=lambda: {
            ("__proto__", "__proto__", "__proto__"): 1,
            ("__proto__", "__proto__", "constructor"): "c",
            ("__proto__", "__proto__", ""): None,
        },
        count=3,
    ),
    "a cell nested 190 deep": Stored(
        messages=lambda: [change(row("t", "r", f'"c":[{"[" * 190}{"]" * 190}]'))],
        expected=dict,
        count=1,
    ),
}


@pytest.mark.timeout(400)
async def test_what_is_large_is_stored_and_found_again_after_a_kill(
    mortal_server: AttackedServer, room: str, heaviness: int
) -> None:
    server = mortal_server
    known: dict[str, list[int]] = {}
    many = tiny_rows(HEAVY_ROWS if heaviness > 1 else MANY_ROWS)
    cases = STORED | {f"{many.count} rows in one frame": many}
    for what, case in cases.items():
        path = f"{room}-{abs(hash(what))}"
        async with undisturbed(server, what):
            wire = await WireSocket.open(server.port, f"/{path}")
            for message in case.messages():
                await wire.say(message)
            known[what] = await receipt(wire)
    server.assert_quiet()
    server.kill()
    server.start()
    for what, case in cases.items():
        path = f"{room}-{abs(hash(what))}"
        async with undisturbed(server, f"{what}, found again"):
            assert await hashes(server.port, path) == known[what], what
            found = await cells(server.port, path)
        assert len(found) == case.count, what
        for key, value in case.expected().items():
            assert found[key] == value, what


async def test_a_busy_asker_waits_while_another_is_served(
    server: AttackedServer, room: str
) -> None:
    wire = await WireSocket.open(server.port, f"/{room}")
    rows = ",".join(f'"{n}":[{{"":[1]}}]' for n in range(20_000))
    await wire.say(change(f'"t":[{{{rows}}}]'))
    async with undisturbed(server, "200 questions for 20,000 rows in one packet"):
        await wire.say(*[f'S\n["q{n}",4,{{}}]' for n in range(200)], 'S\n["end",1,""]')
        unanswered = {"end", *(f"q{n}" for n in range(200))}
        while unanswered:
            request_id, kind, _ = orjson.loads(str(await wire.read_message()).partition("\n")[2])
            if kind == RESPONSE:
                unanswered.remove(request_id)


async def test_answers_do_not_pile_up_while_the_database_stands_still(
    mortal_server: AttackedServer, room: str
) -> None:
    server = mortal_server
    wire = await WireSocket.open(server.port, f"/{room}")
    for number in range(6):
        await wire.say(change(row("t", f"r{number}", f'"c":["{"x" * 100_000}"]'), number))
    before = await receipt(wire)
    rss = server.rss_bytes()
    with server.database_standing_still():
        # One change holds the gate; then thousands of questions of 40 bytes for 600 KB each.
        await wire.say('\n["d",3,[[{}],[{"v":[1]}],1]]')
        wire.write(b"".join(text_frame('S\n["q",4,{}]') for _ in range(5_000)))
        await until(server.settled_rss, seconds=5)
        grown = server.rss_bytes() - rss
    print(f"grown by {grown // MB} MB")  # noqa: T201 - for the report
    assert grown < 64 * MB
    while '["q",0' not in str(await wire.read_message()):
        pass  # they were heard all the while: the change, content, then the answers
    wire.vanish()
    assert (await hashes(server.port, room))[0] == before[0]
