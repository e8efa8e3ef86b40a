"""What a live object is doing, and who is connected to it."""

from typing import Any, Final

from .steering import Manner, SteerAnswer, Steered, SteerHandler

MEMBERS_TOLD: Final = 100
"""The first so many sockets are told; there is a list of its own for all."""


def _activity(steered: Steered) -> SteerAnswer:
    """Look at the room; it does not notice."""
    activity = steered.activity
    members: list[dict[str, Any]] = []
    for member in steered.members:
        if len(members) == MEMBERS_TOLD:
            break
        members.append({"id": member.id, "tags": sorted(member.tags)})
    told = activity._asdict() | {
        "state": activity.state.name.lower(),
        "usage": activity.usage._asdict(),
        "connections": len(steered.members),
        "members": members,
    }
    return told, b""


ACTIVITY_HANDLERS: Final = (SteerHandler(name="activity", manner=Manner.LOOKING, run=_activity),)
