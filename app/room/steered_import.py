"""Importing into a live object, in its own turn.

The object's lines of the export come as they stand in the file. All of them are one unit of the
object: it is committed whole or not at all; then the instance goes, and the next one starts from
what was imported. Sockets stay.
"""

from typing import Final

from ..core.backup_lines import AlarmLine, RowLine, parse_line
from ..core.errors import ObjectNotEmpty
from ..core.values import Alarm
from .steering import Manner, Refused, SteerAnswer, Steered, SteerHandler, refusing

IMPORT_OBJECT: Final = "import_object"


async def _import(steered: Steered) -> SteerAnswer:
    """`mode`: if-empty, replace or merge."""
    rows, alarms = _read(steered.body)
    mode = steered.meta.get("mode")
    if mode == "if-empty" and (await steered.storage.list(limit=1) or steered.alarms.standing()):
        raise Refused(ObjectNotEmpty())
    with refusing():
        if mode == "replace":
            steered.storage.delete_all()
        steered.storage.put_rows(rows)
    for name, alarm in alarms.items():
        steered.alarms.write(name, alarm)
    steered.renew()
    return {}, b""


def _read(body: bytes) -> tuple[dict[bytes, bytes], dict[str, Alarm]]:
    rows: dict[bytes, bytes] = {}
    alarms: dict[str, Alarm] = {}
    with refusing():
        for raw in body.splitlines():
            line = parse_line(raw)
            if isinstance(line, RowLine):
                rows[line.key] = line.value
            elif isinstance(line, AlarmLine):
                alarms[line.name] = line.alarm
    return rows, alarms


IMPORT_HANDLERS: Final = (SteerHandler(name=IMPORT_OBJECT, manner=Manner.TURN, run=_import),)
