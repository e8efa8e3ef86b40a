"""Who judges credentials, as the settings say; nothing of it is loaded where rooms are open."""

import importlib
from collections.abc import Callable
from typing import Any

from ..core.clock import Clock
from ..core.errors import ConfigurationInvalid
from ..core.tasks import TaskOwner
from ..settings import RoomAccess, Settings
from ..web.credentials import Judge


def judge_of(
    settings: Settings, *, clock: Clock, tasks: TaskOwner, now: Callable[[], float]
) -> Judge | None:
    """The judge; None where one token opens every room, or none is needed.

    Args:
        settings: What was decided.
        clock: For the ages of keys.
        tasks: Owner of fetches.
        now: Seconds since 1970, by the database's clock.

    Raises:
        ConfigurationInvalid: The author's function cannot be used.
    """
    access = settings.effective_room_access()
    if access is RoomAccess.JWT:
        return _jwt_judge(settings, clock, tasks, now)
    if access is RoomAccess.HOOK:
        from ..web.hook_judge import HookJudge  # noqa: PLC0415 - each mode pays for its own code

        return HookJudge(_function(settings.authorize), seconds=settings.authorize_seconds)
    return None


def _jwt_judge(
    settings: Settings, clock: Clock, tasks: TaskOwner, now: Callable[[], float]
) -> Judge:
    # Cryptography is megabytes of every worker, which a server of open rooms has no use for.
    from ..web.jwt_judge import ClaimRules, JwtJudge  # noqa: PLC0415 - see above
    from ..web.key_set import KeySet  # noqa: PLC0415 - see above
    from ..web.key_source import KeySource  # noqa: PLC0415 - see above
    from .key_fetching import fetch_from  # noqa: PLC0415 - see above

    rules = ClaimRules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        leeway_seconds=settings.jwt_leeway_seconds,
    )
    if settings.jwt_secret is not None:
        return JwtJudge(KeySet.of_secret(settings.jwt_secret.get_secret_value()), rules, now=now)
    source = KeySource(
        fetch_from(settings.jwks_url, seconds=settings.jwks_seconds),
        clock=clock,
        tasks=tasks,
        pause_seconds=settings.jwks_pause_seconds,
    )
    return JwtJudge(source, rules, now=now)


def _function(target: str) -> Any:
    """The function that `module:function` names."""
    module, _, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationInvalid(
            f"STATEROOM_AUTHORIZE: {target} cannot be imported ({error})",
            remedy="Name a function as module:function, from the folder that --app-dir names.",
        ) from error
    if not callable(found):
        raise ConfigurationInvalid(f"STATEROOM_AUTHORIZE: {target} is no function")
    return found
