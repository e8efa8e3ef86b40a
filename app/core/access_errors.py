"""Why a client is not let in; the whole tree of errors is drawn in `errors`.

Their texts never hold what the client has shown.
"""

from .error_root import StateroomError


class AccessRefused(StateroomError):
    """The client may not come in."""

    code = "access_refused"
    default_remedy = "Show another credential."


class CredentialRequired(AccessRefused):
    """The client has shown no credential."""

    code = "credential_required"
    default_remedy = (
        "Send a token as Authorization: Bearer, as ?token=, as the cookie stateroom_token, or as "
        "the subprotocol stateroom.token.<token> beside another one."
    )


class CredentialInvalid(AccessRefused):
    """The credential is none that is taken here."""

    code = "credential_invalid"
    default_remedy = "Have a new token issued: with the right key, issuer, audience and claims."


class CredentialExpired(AccessRefused):
    """The credential is over, or not valid yet."""

    code = "credential_expired"
    default_remedy = "Have a new token issued, and connect again."


class RoomForbidden(AccessRefused):
    """The credential does not open this room."""

    code = "room_forbidden"
    default_remedy = "Have a token issued whose claim stateroom.rooms names the room."


class JudgeUnavailable(StateroomError):
    """Whether the client may come in cannot be decided at the moment."""

    code = "judge_unavailable"
    default_remedy = (
        "Try again. If it stays, see whether STATEROOM_JWKS_URL answers, and what the log says of "
        "the function that STATEROOM_AUTHORIZE names."
    )
    retryable = True
