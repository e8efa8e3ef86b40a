"""The keys that tokens are signed with, and which algorithms each of them may be used for.

An algorithm follows from the key, never from the token alone: a secret verifies HS*, an RSA key
RS* and PS*, a curve its own ES*, Ed25519 and Ed448 EdDSA. So a public key can never be taken for
a secret, and `none` is no algorithm of any key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from ..core.codec import parse_json

MOST_KEYS: Final = 64
_LEAST_RSA_BITS: Final = 2_048
_OF_TYPE: Final[Mapping[str, frozenset[str]]] = {
    "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    "P-256": frozenset({"ES256"}),
    "P-384": frozenset({"ES384"}),
    "P-521": frozenset({"ES512"}),
    "Ed25519": frozenset({"EdDSA"}),
    "Ed448": frozenset({"EdDSA"}),
}
_HMAC_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
"""A secret is used with a hash that is no longer than itself (RFC 7518, section 3.2)."""


class KeysUnreadable(ValueError):
    """What was fetched is no set of keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """One key.

    Attributes:
        key_id: Its `kid`, empty when it has none; None: it is meant whatever a token names.
        algorithms: What it may be used for.
        key: What verifies.
    """

    key_id: str | None
    algorithms: frozenset[str]
    key: Any = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """All keys of a source at one time."""

    keys: Sequence[VerifyingKey] = ()

    def find(self, key_id: str | None, algorithm: str) -> list[VerifyingKey]:
        """The keys that a token may have been signed with, which is none if its id is unknown."""
        return [
            key
            for key in self.keys
            if algorithm in key.algorithms
            and (key_id is None or key.key_id is None or key.key_id == key_id)
        ]

    @classmethod
    def of_secret(cls, secret: str) -> Self:
        """The set of one shared secret; whatever id a token names, it is meant."""
        raw = secret.encode()
        fit = frozenset(name for name, least in _HMAC_BYTES.items() if len(raw) >= least)
        return cls(keys=[VerifyingKey(key_id=None, algorithms=fit, key=raw)])

    @classmethod
    def read(cls, document: bytes) -> Self:
        """The keys of a JWKS document; those of other kinds or uses are left out.

        Raises:
            KeysUnreadable: It is none, or has no key that could be used.
        """
        try:
            told = parse_json(document)
        except ValueError as error:
            raise KeysUnreadable("it is not JSON") from error
        listed = told.get("keys") if isinstance(told, dict) else None
        if not isinstance(listed, list) or len(listed) > MOST_KEYS:
            raise KeysUnreadable(f"it is no list of at most {MOST_KEYS} keys")
        keys = [key for entry in listed if (key := _usable(entry)) is not None]
        if not keys:
            raise KeysUnreadable("it has no public key that can be used")
        return cls(keys=keys)


def _usable(entry: Any) -> VerifyingKey | None:
    """One key of a JWKS, if it verifies signatures. A secret has no place there: it is public."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    kind = "RSA" if entry.get("kty") == "RSA" else entry.get("crv")
    fit = _OF_TYPE.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
    said = entry.get("alg")
    if said is not None:
        fit &= {said} if isinstance(said, str) else frozenset()
    if not fit or entry.get("kty") not in {"RSA", "EC", "OKP"}:
        return None
    try:
        key = PyJWK.from_dict(entry, algorithm=min(fit)).key
    except (PyJWTError, ValueError, TypeError):
        return None
    if kind == "RSA" and key.key_size < _LEAST_RSA_BITS:
        return None
    key_id = entry.get("kid")
    return VerifyingKey(
        key_id=key_id if isinstance(key_id, str) else "", algorithms=fit, key=_public(key)
    )


def _public(key: Any) -> Any:
    """The public half, should somebody have published both."""
    return key.public_key() if hasattr(key, "public_key") else key
