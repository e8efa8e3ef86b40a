"""A mounted class: what a namespace is, once its string has been read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Durability(Enum):
    """When what a room says may leave, seen from its writes.

    COMMIT: after they are committed. RELAXED: at once, the commit follows behind, with a bound
    on what may be lost. NONE: there is nothing to wait for, because nothing is stored.
    """

    COMMIT = "commit"
    RELAXED = "relaxed"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One namespace.

    Attributes:
        namespace: Its name, as in URLs and ids.
        cls: The author's class, a DurableObject.
        durability: See `Durability`.
        history: Whether its objects keep what they were (`core.history`).
        settings: The class's own options, as given behind the `?` of its mount.
    """

    namespace: str
    cls: type[Any]
    durability: Durability = Durability.COMMIT
    history: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
