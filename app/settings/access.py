"""The settings of who may open rooms. A part of `model.Settings`."""

import ipaddress
import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .mounts import split_words

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_SECRET_BYTES = 32
_MOST_LEEWAY_SECONDS = 600
_MOST_WAIT_SECONDS = 60


class RoomAccess(StrEnum):
    """Who may open a room."""

    OPEN = "open"
    TOKEN = "token"  # noqa: S105 - the name of a mode, no secret
    JWT = "jwt"
    HOOK = "hook"


def _is_function(value: str) -> str:
    if value and not _FUNCTION.fullmatch(value):
        raise ValueError("it is no module:function")
    return value


def _is_key_address(value: str) -> str:
    """Keys that somebody on the way can change are nobody's: plain HTTP is for this machine."""
    if not value:
        return value
    parts = urlsplit(value)
    name = parts.hostname or ""
    if name and parts.username is None and (parts.scheme == "https" or _plain(parts.scheme, name)):
        return value
    raise ValueError("it must be https://..., or http:// of this machine, without a user")


def _plain(scheme: str, name: str) -> bool:
    if scheme != "http":
        return False
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_secret(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    text = value.get_secret_value()
    if len(text.encode()) < _SECRET_BYTES:
        raise ValueError(f"it has less than {_SECRET_BYTES} bytes")
    if text.lstrip().startswith("-----BEGIN"):
        raise ValueError("it is a key pair's half, not a shared secret: serve it as a JWKS")
    return value


Waiting = Annotated[float, Field(gt=0, le=_MOST_WAIT_SECONDS, allow_inf_nan=False)]


class AccessSettings(BaseSettings):
    """See the module."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    room_access: RoomAccess | None = None
    """`open`, `token` (one for all), `jwt` (signed by the application, by room and role), or `hook`
    (a function decides). Unset: open on loopback, a start-up error on any other address."""
    room_token: SecretStr | None = None
    """What clients present with `room_access=token`: `Authorization: Bearer` or `?token=`."""
    jwt_secret: Annotated[SecretStr | None, AfterValidator(_is_secret)] = None
    """The secret that tokens are signed with (HS256; HS384 from 48 bytes on, HS512 from 64), with
    `room_access=jwt`. At least 32 bytes."""
    jwks_url: Annotated[str, AfterValidator(_is_key_address)] = ""
    """Where the public keys of tokens are, in place of `jwt_secret`: RS*, PS*, ES* and EdDSA, each
    key for its own kind only. `https`, or `http` of this machine."""
    jwks_seconds: Waiting = 5.0
    """How long fetching the keys may take."""
    jwks_pause_seconds: Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)] = 30.0
    """The least time between two fetches because of key ids that are not known."""
    jwt_audience: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_words)] = ()
    """What the `aud` of a token names, one of them at least. Empty: it is not looked at."""
    jwt_issuer: str = ""
    """What the `iss` of a token is. Empty: it is not looked at."""
    jwt_leeway_seconds: Annotated[
        float, Field(ge=0, le=_MOST_LEEWAY_SECONDS, allow_inf_nan=False)
    ] = 30.0
    """By how much the issuer's clock may be off; a token lasts so much longer."""
    authorize: Annotated[str, AfterValidator(_is_function)] = ""
    """With `room_access=hook`: the function that decides, as `module:function`."""
    authorize_seconds: Waiting = 5.0
    """How long that function may take."""

    def access_problem(self) -> str | None:
        """What does not go together, or None."""
        if self.room_access is RoomAccess.TOKEN and self.room_token is None:
            return "STATEROOM_ROOM_TOKEN: it is needed with STATEROOM_ROOM_ACCESS=token"
        if self.room_access is RoomAccess.JWT and (self.jwt_secret is None) == (not self.jwks_url):
            return (
                "STATEROOM_JWT_SECRET or STATEROOM_JWKS_URL: STATEROOM_ROOM_ACCESS=jwt needs "
                "one of the two"
            )
        if self.room_access is RoomAccess.HOOK and not self.authorize:
            return "STATEROOM_AUTHORIZE: it is needed with STATEROOM_ROOM_ACCESS=hook"
        return None
