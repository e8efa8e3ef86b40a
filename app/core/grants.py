"""What a client was let in for: who it is, which rooms it may use and in which role, until when.

A `Grant` is made once, when a credential is judged, and goes with the request and with every
connection that it opens: through hibernation, over links, and to another worker. A role is looked
up when a client joins, never per message.

A rule is a pattern and a role. A pattern is `[namespace:]name`:

* Without a namespace it means the built-in `tinybase`; `*:` means any namespace.
* In the name, `*` stands for any characters of one segment (one at least where it is the whole
  segment), and `**`, as a whole segment, for one or more segments. Everything else is literal.
* Of all rules that match, **the highest role counts**: no rule takes away what another gives, so
  their order means nothing. A room that no rule matches is closed to the client.

Matching takes at most length of the pattern times length of the name: neither can be made to
explode.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

ANY_NAMESPACE: Final = "*"
DEFAULT_NAMESPACE: Final = "tinybase"
MOST_RULES: Final = 256
PATTERN_CHARACTERS: Final = 1_024
ID_CHARACTERS: Final = 256
"""Longest subject and credential id."""

_PREFIX: Final = re.compile(r"(\*|[a-z][a-z0-9_-]{0,62}):")


class ClientRole(StrEnum):
    """What a client may do in a room; each role may do what those before it may.

    What a role means is the room's: TinyBase rooms take no change from `read`; to them `admin` is
    `write`, and an author's class may make more of it.
    """

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def covers(self, other: "ClientRole") -> bool:
        """Whether this role may do what needs `other`."""
        return _RANKS[self] >= _RANKS[other]


_RANKS: Final = {role: rank for rank, role in enumerate(ClientRole)}


class GrantInvalid(ValueError):
    """A grant that cannot be: a wrong pattern, role or length. Its text holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRule:
    """One pattern and the role that it gives.

    Raises (on making):
        GrantInvalid: The pattern is empty, too long, or has `**` beside other characters.
    """

    pattern: str
    role: ClientRole

    def __post_init__(self) -> None:
        if not 0 < len(self.pattern) <= PATTERN_CHARACTERS:
            raise GrantInvalid(f"a pattern has 1 to {PATTERN_CHARACTERS} characters")
        _, name = _split(self.pattern)
        if not name:
            raise GrantInvalid("a pattern names a room behind its namespace")
        if any("**" in segment and segment != "**" for segment in name.split("/")):
            raise GrantInvalid("in a pattern, ** stands for whole segments: docs/**")

    def matches(self, namespace: str, name: str) -> bool:
        """Whether an object is meant."""
        wanted, pattern = _split(self.pattern)
        if wanted not in {ANY_NAMESPACE, namespace}:
            return False
        return _path_matches(pattern.split("/"), name.split("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """See the module.

    Attributes:
        subject: Who the client is, by the credential; empty when nobody asked.
        rules: Which rooms it may use.
        expires_at: When the credential ends, in seconds since 1970; None: never.
        credential_id: The credential's own id (`jti`); empty when it has none.

    Raises (on making):
        GrantInvalid: There are too many rules, or an id is too long.
    """

    subject: str = ""
    rules: tuple[GrantRule, ...] = field(default=(), repr=False)
    expires_at: float | None = None
    credential_id: str = ""

    def __post_init__(self) -> None:
        if len(self.rules) > MOST_RULES:
            raise GrantInvalid(f"a grant has at most {MOST_RULES} rules")
        if len(self.subject) > ID_CHARACTERS or len(self.credential_id) > ID_CHARACTERS:
            raise GrantInvalid(f"a subject or an id has at most {ID_CHARACTERS} characters")

    def role_for(self, namespace: str, name: str) -> ClientRole | None:
        """The role in one object; None: it is closed to the client."""
        found: ClientRole | None = None
        for rule in self.rules:
            if (found is None or not found.covers(rule.role)) and rule.matches(namespace, name):
                found = rule.role
        return found

    @classmethod
    def of(
        cls,
        rooms: Mapping[str, str],
        *,
        subject: str = "",
        expires_at: float | None = None,
        credential_id: str = "",
    ) -> "Grant":
        """A grant by what a token says: `{"docs/*": "write", "public/*": "read"}`.

        Raises:
            GrantInvalid: A pattern or role is none, or there are too many.
        """
        rules = tuple(GrantRule(pattern=key, role=_role(rooms[key])) for key in rooms)
        return cls(subject=subject, rules=rules, expires_at=expires_at, credential_id=credential_id)

    def told(self) -> dict[str, Any]:
        """As another worker is told it."""
        return {
            "subject": self.subject,
            "rules": [[rule.pattern, rule.role.value] for rule in self.rules],
            "expires_at": self.expires_at,
            "credential_id": self.credential_id,
        }

    @classmethod
    def heard(cls, told: Mapping[str, Any]) -> "Grant":
        """What another worker has told.

        Raises:
            GrantInvalid, KeyError, TypeError: It is no grant.
        """
        rules = tuple(GrantRule(pattern=p, role=_role(role)) for p, role in told["rules"])
        return cls(
            subject=str(told["subject"]),
            rules=rules,
            expires_at=told["expires_at"],
            credential_id=str(told["credential_id"]),
        )


def _role(word: Any) -> ClientRole:
    try:
        return ClientRole(word)
    except ValueError:
        raise GrantInvalid("a role is read, write or admin") from None


def _split(pattern: str) -> tuple[str, str]:
    """The namespace and the pattern of the name."""
    found = _PREFIX.match(pattern)
    return (found[1], pattern[found.end() :]) if found else (DEFAULT_NAMESPACE, pattern)


def _path_matches(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    """Match whole segments; only the last `**` that was passed is ever widened."""
    at = have = 0
    star = resume = -1
    while have < len(segments):
        if at < len(pattern) and pattern[at] == "**":
            star, resume = at, have + 1  # one segment at least
            at, have = at + 1, have + 1
        elif at < len(pattern) and _segment_matches(pattern[at], segments[have]):
            at, have = at + 1, have + 1
        elif star >= 0:
            at, resume = star + 1, resume + 1
            have = resume
        else:
            return False
    return have == len(segments) and at == len(pattern)


def _segment_matches(pattern: str, segment: str) -> bool:
    """Match one segment: the pieces between stars, each as early as it comes."""
    if pattern == "*":
        return segment != ""
    first, *rest = pattern.split("*")
    if not rest:
        return segment == first
    *middle, last = rest
    if len(segment) < len(first) + len(last):
        return False
    if not (segment.startswith(first) and segment.endswith(last)):
        return False
    at, end = len(first), len(segment) - len(last)
    for piece in middle:
        at = segment.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


EVERYTHING: Final = Grant(rules=(GrantRule(pattern="*:**", role=ClientRole.WRITE),))
"""What everybody has where rooms are open, or where one token opens all of them."""
