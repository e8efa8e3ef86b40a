"""Keys and tokens of applications, for tests."""

import base64
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from app.core.codec import dump_json, parse_json

SECRET = "s" * 64
NOW = 1_800_000_000.0


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def claims(**further: Any) -> dict[str, Any]:
    """Of a token that is good until an hour from `NOW`."""
    said = {
        "sub": "alice",
        "jti": "c1",
        "exp": NOW + 3_600,
        "stateroom": {"rooms": {"docs/*": "write", "public/*": "read"}},
    }
    return {name: value for name, value in (said | further).items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", *, kid: str = "", **said: Any) -> str:
    """A token; what is None is left out of its claims."""
    head = {"kid": kid} if kid else {}
    return jwt.encode(claims(**said), key, algorithm=algorithm, headers=head)


def forged(head: dict[str, Any], body: dict[str, Any] | bytes, signature: bytes = b"") -> str:
    """A token by hand."""
    raw = body if isinstance(body, bytes) else dump_json(body)
    return ".".join(_text(part) for part in (dump_json(head), raw, signature))


def public_entry(key: Any, algorithm: str, kid: str, **further: Any) -> dict[str, Any]:
    """A key as a JWKS lists it."""
    told = get_default_algorithms()[algorithm].to_jwk(key.public_key())
    entry = parse_json(told)
    assert isinstance(entry, dict)
    return entry | {"kid": kid} | further


def document(*entries: dict[str, Any]) -> bytes:
    """A JWKS."""
    return dump_json({"keys": list(entries)})


def public_pem(key: Any) -> bytes:
    """A public key as everybody may have it."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return bytes(pem)


def _text(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
