"""What a room holds, asked for as a client would: hashes, and everything there is."""

from typing import Any

from app.core.codec import parse_json
from tests.integration.web.wire_socket import WireSocket

Cells = dict[tuple[str, str, str], Any]


async def hashes(port: int, path: str) -> list[int]:
    """Ask, as somebody new, for the content hashes of a room."""
    wire = await WireSocket.open(port, f"/{path}")
    found = await receipt(wire)
    await wire.close()
    return found


async def receipt(wire: WireSocket) -> list[int]:
    """Ask for the content hashes; the answer is a receipt for all that was said before."""
    await wire.say('S\n["hashes",1,""]')
    while True:
        message = str(await wire.read_message())
        if message.startswith('S\n["hashes",0,'):
            found: list[int] = parse_json(message.partition("\n")[2])[2]
            return found


async def cells(port: int, path: str) -> Cells:
    """Ask for every table; what is much comes as changes before the answer."""
    wire = await WireSocket.open(port, f"/{path}")
    await wire.say('S\n["all",4,{}]')
    found: Cells = {}
    while True:
        message = str(await wire.read_message())
        request, kind, body = parse_json(message.partition("\n")[2])
        if kind == 3:
            _collect(body[0], found)
        elif (request, kind) == ("all", 0):
            _collect(body[0], found)
            await wire.close()
            return found


def _collect(stamp: Any, found: Cells) -> None:
    for table, rows in stamp[0].items():
        for row, row_cells in rows[0].items():
            for cell, leaf in row_cells[0].items():
                found[table, row, cell] = leaf[0]
