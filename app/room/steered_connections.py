"""What operators do with the sockets of a live object: see them, send to them, end them.

To see them waits for nothing. A send or a close is an event, in a row with what the object says
itself; none of them wakes an object that sleeps.
"""

from collections.abc import Iterator
from typing import Any, Final

from ..core.admin_errors import ConnectionUnknown
from .connections import RoomConnection
from .steering import Manner, Refused, SteerAnswer, Steered, SteerHandler, refusing


def _list(steered: Steered) -> SteerAnswer:
    """`tag` or None, `after` (a serial), `limit`; in the order in which they joined."""
    meta = steered.meta
    limit = int(meta["limit"])
    told: list[dict[str, Any]] = []
    for member in steered.members:
        if member.serial <= int(meta["after"]) or meta["tag"] not in {None, *member.tags}:
            continue
        told.append(_told(member))
        if len(told) == limit:
            break
    awake = steered.awake
    return {"connections": told, "hibernated": not awake}, b""


def _told(member: RoomConnection) -> dict[str, Any]:
    return {
        "serial": member.serial,
        "id": member.id,
        "tags": sorted(member.tags),
        "path": member.path,
        "client": member.client,
        "joined_ms": member.joined_ms,
        "open": member.open,
        "buffered_bytes": member.buffered_bytes,
    }


def _send(steered: Steered) -> SteerAnswer:
    """To whom (`id`, `tag` or all); the body is the message, `text` whether it is one."""
    message = steered.body.decode() if steered.meta["text"] else steered.body
    count = 0
    for member in _chosen(steered):
        member.send(message)
        count += 1
    return {"count": count}, b""


def _kick(steered: Steered) -> SteerAnswer:
    """Whom (`id`, `tag` or all), `code`, `reason`."""
    code, reason = int(steered.meta["code"]), str(steered.meta["reason"])
    count = 0
    with refusing():
        for member in _chosen(steered):
            member.remove(code, reason)
            count += 1
    return {"count": count}, b""


def _chosen(steered: Steered) -> Iterator[RoomConnection]:
    """The open sockets that are meant.

    Raises:
        Refused: The one that is meant is not there.
    """
    wanted, tag = steered.meta.get("id"), steered.meta.get("tag")
    if wanted is None:
        yield from steered.members.select(tag, (), ())
        return
    found = [member for member in steered.members if member.id == wanted and member.open]
    if not found:
        raise Refused(ConnectionUnknown())
    yield from found


CONNECTION_HANDLERS: Final = (
    SteerHandler(name="connections", manner=Manner.LOOKING, run=_list),
    SteerHandler(name="connections_send", manner=Manner.TURN, run=_send),
    SteerHandler(name="connections_kick", manner=Manner.TURN, run=_kick),
)
