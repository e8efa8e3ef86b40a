"""What operators do with the sockets of a live object."""

from typing import Any, Final

from .steering import Manner, SteerAnswer, Steered, SteerHandler


def _list(steered: Steered) -> SteerAnswer:
    """All sockets; `tag`: only those that carry it."""
    tag = steered.meta.get("tag")
    told: list[dict[str, Any]] = [
        {"id": member.id, "tags": sorted(member.tags), "open": member.open}
        for member in steered.members
        if tag is None or tag in member.tags
    ]
    return {"connections": told}, b""


CONNECTION_HANDLERS: Final = (SteerHandler(name="connections", manner=Manner.LOOKING, run=_list),)
