"""Calls that wait for one another in a ring: found by probes, one of them refused. Pure.

An object runs one event at a time. A call that has reached its object waits for the object's
current event (or is what that event answers), and that event may itself wait for calls. When
these edges close a ring, nothing in it can ever go on.

A **probe** follows the edges from the call that has just begun to wait. At each object it is
shown what is seen there (`Sight`) and says where to go next. When it meets its own first call
again the ring is found, and the probe goes round it once more, because what it saw on its way
may have passed meanwhile: an edge that was there before and is there after was there between, so
after a second round all edges of the ring were there at one instant. **A call is refused only
then.** The victim is the waiting call of the greatest caller among those that have not begun, so
every probe round the same ring names the same one; refusing it twice is refusing it once.

A ring always has a call that has not begun: an event is younger than the call it answers. The
last edge to form sends a probe that finds all others there, so every ring is found.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

HOPS = 32
"""The longest ring that is looked for; a longer one ends at the deadline of its calls."""

BRANCHES = 16
"""How many of the calls that one event waits for are followed."""


class Wait(NamedTuple):
    """A call that an event waits for.

    Attributes:
        call: The call's id.
        caller: The id of the object whose event waits.
        name: What people call that object.
    """

    call: str
    caller: str
    name: str


class Sight(NamedTuple):
    """What is seen at the object that a call has reached and that has not answered it.

    Attributes:
        queued: The call has not begun; else it is what the current event answers.
        waits: The ids of the calls that the object's current event waits for.
        follow: Those of them that are followed; `BRANCHES` are enough.
    """

    queued: bool
    waits: Collection[str]
    follow: Sequence[Wait]


class Hop(NamedTuple):
    """One edge of a probe's way: the wait, and whether the call was seen not to have begun."""

    wait: Wait
    queued: bool


class Probe(NamedTuple):
    """A probe on its way to the object that `hops[at]` has reached.

    Attributes:
        hops: The way so far, or the whole ring.
        at: Which of them it goes along.
        left: How many edges are still to be seen again; None while the ring is not found.
    """

    hops: tuple[Hop, ...]
    at: int = 0
    left: int | None = None

    @classmethod
    def along(cls, wait: Wait) -> "Probe":
        """A new probe along a call that has begun to wait."""
        return cls((Hop(wait, queued=True),))

    @property
    def call(self) -> str:
        """The call it goes along now."""
        return self.hops[self.at].wait.call

    def to_json(self) -> dict[str, Any]:
        """Its form on a link."""
        hops = [[*hop.wait, hop.queued] for hop in self.hops]
        return {"hops": hops, "at": self.at, "left": self.left}

    @classmethod
    def from_json(cls, told: Any) -> "Probe | None":
        """A probe as told by another worker; None when it makes no sense."""
        try:
            hops = tuple(
                Hop(Wait(str(call), str(caller), str(name)), bool(queued))
                for call, caller, name, queued in told["hops"][:HOPS]
            )
            left = told["left"]
            probe = cls(hops, int(told["at"]), None if left is None else int(left))
        except (KeyError, TypeError, ValueError):
            return None
        return probe if 0 <= probe.at < len(hops) else None


class Refusal(NamedTuple):
    """A call is to be refused, because the ring is real.

    Attributes:
        call: The call's id; it has reached the object that the probe is at.
        ring: The objects in the order in which each waits for the next.
    """

    call: str
    ring: tuple[str, ...]


Move = Probe | Refusal


def step(probe: Probe, sight: Sight | None) -> list[Move]:
    """Say what follows from what is seen at the object that the probe has arrived at.

    `sight` is None when the call is not there any more or waits for nothing.
    """
    if sight is None:
        return []
    if probe.left is None:
        return _look_further(probe, sight)
    return _look_again(probe, sight, probe.left)


def _look_further(probe: Probe, sight: Sight) -> list[Move]:
    """The ring is not found yet: go along everything that the event waits for."""
    hops = (*probe.hops[:-1], Hop(probe.hops[-1].wait, sight.queued))
    if hops[0].wait.call in sight.waits:
        return [Probe(hops, at=0, left=len(hops))]
    if len(hops) >= HOPS:
        return []
    seen = {hop.wait.caller for hop in hops}
    return [
        Probe((*hops, Hop(wait, queued=True)), at=len(hops))
        for wait in sight.follow[:BRANCHES]
        if wait.caller not in seen  # a ring that the first call is not in: its own probe finds it
    ]


def _look_again(probe: Probe, sight: Sight, left: int) -> list[Move]:
    """The ring is found: go round it until each edge was seen again and the victim is here."""
    hops, at = probe.hops, probe.at
    following = (at + 1) % len(hops)
    if hops[following].wait.call not in sight.waits or sight.queued is not hops[at].queued:
        return []
    left -= 1
    if left <= 0 and hops[at] == victim(hops):
        return [Refusal(hops[at].wait.call, tuple(hop.wait.name for hop in _from(hops, at)))]
    if left <= -len(hops):
        return []
    return [Probe(hops, at=following, left=left)]


def victim(ring: Sequence[Hop]) -> Hop | None:
    """The edge whose call is refused: the same whichever probe found the ring."""
    return max((hop for hop in ring if hop.queued), key=lambda hop: hop.wait.caller, default=None)


def _from(hops: Sequence[Hop], at: int) -> list[Hop]:
    return [*hops[at:], *hops[:at]]
