"""Which tokens are taken, and what they give."""

import hashlib
import hmac
from typing import Any

import pytest

from app.core.errors import (
    AccessRefused,
    CredentialExpired,
    CredentialInvalid,
    CredentialRequired,
)
from app.core.grants import ClientRole, Grant
from app.sdk import Request, Visit
from app.web.jwt_judge import ClaimRules, JwtJudge
from app.web.key_set import KeySet, KeysUnreadable

from .signers import (
    NOW,
    SECRET,
    claims,
    document,
    ec_key,
    ed_key,
    forged,
    public_entry,
    public_pem,
    rsa_key,
    signed,
)

_RULES = ClaimRules(issuer="", audience=(), leeway_seconds=10)


def _judge(keys: KeySet | None = None, rules: ClaimRules = _RULES) -> JwtJudge:
    return JwtJudge(keys or KeySet.of_secret(SECRET), rules, now=lambda: NOW)


def _grant(token: str, judge: JwtJudge | None = None) -> Grant:
    visit = Visit(namespace="tinybase", name="docs/a", request=Request(), token=token)
    found = (judge or _judge()).judge(visit)
    assert isinstance(found, Grant)
    return found


def _all_keys() -> KeySet:
    return KeySet.read(
        document(
            public_entry(rsa_key(), "RS256", "r"),
            public_entry(ec_key(), "ES256", "e"),
            public_entry(ed_key(), "EdDSA", "d"),
        )
    )


def test_a_token_gives_its_subject_rooms_and_end() -> None:
    grant = _grant(signed())
    assert (grant.subject, grant.credential_id, grant.expires_at) == ("alice", "c1", NOW + 3_610)
    assert grant.role_for("tinybase", "docs/a") is ClientRole.WRITE
    assert grant.role_for("tinybase", "public/a") is ClientRole.READ
    assert grant.role_for("tinybase", "other") is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_long_secret_serves_each_hash(algorithm: str) -> None:
    assert _grant(signed(algorithm=algorithm)).subject == "alice"


def test_a_secret_is_not_used_with_a_longer_hash() -> None:
    short = "s" * 32
    judge = _judge(KeySet.of_secret(short))
    assert _grant(signed(short), judge).subject == "alice"
    body = forged({"alg": "HS512"}, claims())
    signature = hmac.digest(short.encode(), body.rpartition(".")[0].encode(), hashlib.sha512)
    with pytest.raises(CredentialInvalid):
        _grant(forged({"alg": "HS512"}, claims(), signature), judge)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        *((rsa_key, name, "r") for name in ("RS256", "RS512", "PS256", "PS384")),
        (ec_key, "ES256", "e"),
        (ed_key, "EdDSA", "d"),
    ],
)
def test_each_public_key_verifies_by_its_own_algorithms(key: Any, algorithm: str, kid: str) -> None:
    judge = _judge(_all_keys())
    assert _grant(signed(key(), algorithm, kid=kid), judge).subject == "alice"
    assert _grant(signed(key(), algorithm), judge).subject == "alice"


# -- refused -----------------------------------------------------------------------------------


def test_no_token_is_told_apart_from_a_wrong_one() -> None:
    with pytest.raises(CredentialRequired):
        _grant("")


@pytest.mark.parametrize(
    "said", [{"exp": NOW - 10}, {"exp": NOW - 10_000}, {"nbf": NOW + 10.5}, {"exp": -1}]
)
def test_a_token_that_is_over_or_not_valid_yet_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(CredentialExpired):
        _grant(signed(**said))


def test_the_leeway_is_for_clocks_that_are_off() -> None:
    assert _grant(signed(exp=NOW - 9, nbf=NOW + 9)).expires_at == NOW + 1


@pytest.mark.parametrize("audience", [None, "other", ["other", 5], 5, {"ours": 1}])
def test_a_token_for_somebody_else_is_refused(audience: Any) -> None:
    judge = _judge(rules=ClaimRules(audience=("ours", "too")))
    with pytest.raises(CredentialInvalid):
        _grant(_raw(claims(aud=audience)), judge)
    assert _grant(_raw(claims(aud=["x", "too"])), judge).subject == "alice"


@pytest.mark.parametrize("issuer", [None, "https://other.example", "https://ours.example/", 5])
def test_a_token_of_another_issuer_is_refused(issuer: Any) -> None:
    judge = _judge(rules=ClaimRules(issuer="https://ours.example"))
    with pytest.raises(CredentialInvalid):
        _grant(_raw(claims(iss=issuer)), judge)
    assert _grant(_raw(claims(iss="https://ours.example")), judge).subject == "alice"


@pytest.mark.parametrize("name", ["none", "None", "NONE", "", "HS256"])
def test_a_token_without_a_signature_is_refused(name: str) -> None:
    for judge in (_judge(), _judge(_all_keys())):
        with pytest.raises(CredentialInvalid):
            _grant(forged({"alg": name, "kid": "r"}, claims()), judge)


def test_a_public_key_is_never_taken_for_a_secret() -> None:
    judge = _judge(_all_keys())
    for secret in (public_pem(rsa_key()), public_pem(rsa_key()).strip()):
        for kid in ("r", "e", ""):
            head = {"alg": "HS256", "kid": kid} if kid else {"alg": "HS256"}
            text = forged(head, claims()).rpartition(".")[0]
            signature = hmac.digest(secret, text.encode(), hashlib.sha256)
            with pytest.raises(CredentialInvalid):
                _grant(forged(head, claims(), signature), judge)


def test_a_key_of_another_kind_is_not_tried() -> None:
    with pytest.raises(CredentialInvalid):
        _grant(signed(rsa_key(), "RS256", kid="e"), _judge(_all_keys()))
    only = KeySet.read(document(public_entry(rsa_key(), "RS256", "r", alg="RS512")))
    with pytest.raises(CredentialInvalid):
        _grant(signed(rsa_key(), "RS256", kid="r"), _judge(only))


def test_an_unknown_key_id_is_refused() -> None:
    with pytest.raises(CredentialInvalid):
        _grant(signed(rsa_key(), "RS256", kid="q"), _judge(_all_keys()))


def test_a_changed_token_is_refused() -> None:
    head, body, signature = signed().split(".")
    other = signed(sub="mallory").split(".")[1]
    for token in (f"{head}.{other}.{signature}", f"{head}.{body}.", f"{head}.{body}", "x", "a.b.c"):
        with pytest.raises(CredentialInvalid):
            _grant(token)


@pytest.mark.parametrize(
    "said",
    [
        {"stateroom": None},
        {"stateroom": {}},
        {"stateroom": []},
        {"stateroom": {"rooms": ["docs/*"]}},
        {"stateroom": {"rooms": {"docs/*": "owner"}}},
        {"stateroom": {"rooms": {"docs/*": None}}},
        {"stateroom": {"rooms": {"": "read"}}},
        {"stateroom": {"rooms": {"docs/*": ["read"]}}},
        {"exp": "tomorrow"},
        {"exp": True},
        {"nbf": []},
        {"jti": 5},
        {"sub": {"x": 1}},
    ],
)
def test_a_token_whose_claims_make_no_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(CredentialInvalid):
        _grant(_raw(claims(**said)))


def test_what_is_too_long_or_too_deep_is_refused() -> None:
    deep = b'{"sub":' + b"[" * 3_000 + b"]" * 3_000 + b"}"
    for token in (signed(sub="x" * 9_000), _raw(deep), "." * 8_000):
        with pytest.raises(AccessRefused):
            _grant(token)


# -- keys --------------------------------------------------------------------------------------


def test_keys_that_verify_nothing_are_left_out() -> None:
    good = public_entry(ec_key(), "ES256", "e")
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "o", "alg": "HS256"}
    keys = KeySet.read(
        document(secret, good | {"use": "enc"}, good | {"crv": "P-1"}, {"kty": "EC"}, good)
    )
    assert [(key.key_id, set(key.algorithms)) for key in keys.keys] == [("e", {"ES256"})]


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": []}', document({"kty": "oct"})],
)
def test_a_document_without_keys_is_none(raw: bytes) -> None:
    with pytest.raises(KeysUnreadable):
        KeySet.read(raw)


def test_neither_a_key_nor_a_visit_shows_its_secret() -> None:
    visit = Visit(namespace="a", name="b", request=Request(query=SECRET), token=SECRET)
    assert SECRET not in f"{visit!r} {KeySet.of_secret(SECRET)!r}"


def _raw(body: Any) -> str:
    """A token with a good signature, whatever it says."""
    text = forged({"alg": "HS256"}, body).rpartition(".")[0]
    return forged(
        {"alg": "HS256"}, body, hmac.digest(SECRET.encode(), text.encode(), hashlib.sha256)
    )
