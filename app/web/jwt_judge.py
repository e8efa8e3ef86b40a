"""Tokens that an application has signed (JWT, RFC 7519): who the client is and what it may use.

The claim `"stateroom": {"rooms": {"docs/*": "write", "public/*": "read"}}` gives rooms by pattern
(see `core.grants`); `sub` names the client, `jti` the token, `exp`, `nbf`, `iss` and `aud` are
checked. Every refusal is one of three and says nothing of why: whoever forges tokens learns
nothing.

Times are those of the database's clock, as everywhere, with some leeway; a grant ends when its
token would not be taken any more.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import jwt
from jwt.exceptions import PyJWTError

from ..core.access_errors import CredentialExpired, CredentialInvalid, CredentialRequired
from ..core.grants import Grant, GrantInvalid
from ..sdk.visits import Visit
from .credentials import TOKEN_CHARACTERS, Judged
from .key_set import KeySet, VerifyingKey
from .key_source import KeySource

CLAIM: Final = "stateroom"
_LEFT_TO_US: Final = {
    f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What a token has to say.

    Attributes:
        issuer: Its `iss`; empty: any.
        audience: One of these is in its `aud`; empty: any.
        leeway_seconds: By how much the issuer's clock may be off.
    """

    issuer: str = ""
    audience: Collection[str] = ()
    leeway_seconds: float = 30.0

    def grant_of(self, claims: Mapping[str, Any], now: float) -> Grant:
        """What a token whose signature is right gives.

        Raises:
            CredentialExpired: Its time is over, or has not come.
            CredentialInvalid: It is not for us, or makes no sense.
        """
        begins, ends = _time(claims, "nbf"), _time(claims, "exp")
        if ends is not None:
            ends += self.leeway_seconds
        if (ends is not None and now >= ends) or (
            begins is not None and now < begins - self.leeway_seconds
        ):
            raise CredentialExpired
        if self.issuer and claims.get("iss") != self.issuer:
            raise CredentialInvalid
        if self.audience and self._audience_of(claims).isdisjoint(self.audience):
            raise CredentialInvalid
        try:
            return Grant.of(
                _rooms(claims),
                subject=_text(claims, "sub"),
                credential_id=_text(claims, "jti"),
                expires_at=ends,
            )
        except GrantInvalid:
            raise CredentialInvalid from None

    @staticmethod
    def _audience_of(claims: Mapping[str, Any]) -> frozenset[str]:
        told = claims.get("aud")
        words = told if isinstance(told, list) else [told]
        return frozenset(word for word in words if isinstance(word, str))


class JwtJudge:
    """A `Judge` of signed tokens.

    Args:
        keys: Where keys come from: a set that stays, or an address.
        rules: What tokens have to say.
        now: Seconds since 1970, by the database's clock.
    """

    def __init__(
        self, keys: KeySet | KeySource, rules: ClaimRules, *, now: Callable[[], float]
    ) -> None:
        self._keys = keys
        self._rules = rules
        self._now = now

    def judge(self, visit: Visit) -> Judged:
        """See `Judge.judge`. It waits only for keys that are not known."""
        token = visit.token
        if not token:
            raise CredentialRequired
        key_id, algorithm = _head_of(token)
        if isinstance(self._keys, KeySet):
            return self._verified(token, algorithm, self._keys.find(key_id, algorithm))
        known = self._keys.known()
        fit = known.find(key_id, algorithm) if known is not None else []
        if not fit and (known is None or self._keys.may_ask):
            return self._judge_later(token, key_id, algorithm, self._keys)
        return self._verified(token, algorithm, fit)

    async def _judge_later(
        self, token: str, key_id: str | None, algorithm: str, source: KeySource
    ) -> Grant:
        keys = await source.asked()
        return self._verified(token, algorithm, keys.find(key_id, algorithm))

    def _verified(self, token: str, algorithm: str, keys: Collection[VerifyingKey]) -> Grant:
        for key in keys:
            try:
                claims = jwt.decode(token, key.key, algorithms=[algorithm], options=_options())
            except (PyJWTError, ValueError, TypeError, RecursionError):
                continue
            return self._rules.grant_of(claims, self._now())
        raise CredentialInvalid


def _options() -> Any:
    """Signatures are the library's, claims are ours: they go by another clock."""
    return dict(_LEFT_TO_US)


def _head_of(token: str) -> tuple[str | None, str]:
    """The key id and the algorithm that a token names, unproven."""
    if len(token) > TOKEN_CHARACTERS:
        raise CredentialInvalid
    try:
        head = jwt.get_unverified_header(token)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise CredentialInvalid from None
    key_id, algorithm = head.get("kid"), head.get("alg")
    if not isinstance(algorithm, str) or not isinstance(key_id, str | None) or "crit" in head:
        raise CredentialInvalid
    return key_id, algorithm


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    told = claims.get(name)
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float):
        raise CredentialInvalid
    try:
        seconds = float(told)
    except OverflowError:
        raise CredentialInvalid from None
    if not isfinite(seconds):
        raise CredentialInvalid
    return seconds


def _text(claims: Mapping[str, Any], name: str) -> str:
    told = claims.get(name, "")
    if not isinstance(told, str):
        raise CredentialInvalid
    return told


def _rooms(claims: Mapping[str, Any]) -> Mapping[str, str]:
    """The rooms that a token names; a token without any is for something else."""
    own = claims.get(CLAIM)
    rooms = own.get("rooms") if isinstance(own, dict) else None
    if not isinstance(rooms, dict):
        raise CredentialInvalid
    return rooms
