"""Who steers a cluster from outside: the three roles, and a caller who has one.

A viewer reads metadata and content. An operator acts on the life of objects, on connections,
alarms and workers as well. An admin changes and deletes stored content, imports, restores and
makes tokens as well.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do; each role may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, other: "Role") -> bool:
        """Whether a caller of this role may do what needs `other`."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever has shown a valid token.

    Attributes:
        name: What the token is called; it stands in the audit.
        role: What the caller may do.
        token_id: The public part of the token; empty for the token of the settings. Names come
            back after a revocation, this does not.
    """

    name: str
    role: Role
    token_id: str = ""
