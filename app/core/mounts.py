"""A mounted class: what a namespace is, once its string has been read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .quotas import NO_QUOTAS, Quotas


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
        quotas: What each of its objects may cost.
        history: Whether its objects keep what they were (`core.history`).
        settings: The class's own options, as given behind the `?` of its mount.
    """

    namespace: str
    cls: type[Any]
    durability: Durability = Durability.COMMIT
    quotas: Quotas = NO_QUOTAS
    history: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
