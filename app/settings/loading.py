"""Making the settings, and telling what is wrong with them in one line."""

import difflib

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from ..core.errors import ConfigurationInvalid
from .model import Settings
from .sources import (
    PREFIX,
    SECRET_FIELDS,
    SECRETS_DIR,
    environ,
    variables_of,
)

# What others put there: Kubernetes names variables after a Service called "stateroom".
FOREIGN_PREFIXES = ("STATEROOM_SERVICE_", "STATEROOM_PORT_", "STATEROOM_TEST_")
KUBERNETES_REMEDY = (
    "Kubernetes sets this variable for a Service named stateroom: set enableServiceLinks: false "
    "in the pod, or name the Service differently."
)


def load_settings(**given: object) -> Settings:
    """Read the settings; values that are `given` and not None win over the environment.

    Raises:
        ConfigurationInvalid: A value cannot be used; the text is one line with its name.
    """
    known = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**known)  # type: ignore[arg-type]  # checked by pydantic, told below
    except ValidationError as error:
        raise _explained(error) from error
    except SettingsError as error:
        raise ConfigurationInvalid(str(error).splitlines()[0]) from error


def unknown_variables() -> dict[str, str | None]:
    """Return variables with our prefix that name no setting, each with the nearest that does."""
    known = {SECRETS_DIR}
    for name in Settings.model_fields:
        known.update(variables_of(name))
    known |= {f"{variable}_FILE" for name in SECRET_FIELDS for variable in variables_of(name)}
    unknown = sorted(
        variable
        for variable in environ
        if variable.startswith(PREFIX)
        and variable not in known
        and not variable.startswith(FOREIGN_PREFIXES)
    )
    return {
        variable: next(iter(difflib.get_close_matches(variable, known, n=1)), None)
        for variable in unknown
    }


def _explained(error: ValidationError) -> ConfigurationInvalid:
    details = error.errors(include_url=False, include_context=False)
    first = details[0]
    text = _sentence(first)
    if len(details) > 1:
        text += f" (and {len(details) - 1} more)"
    variable = text.partition(":")[0]
    if environ.get(variable, "").startswith("tcp://"):
        return ConfigurationInvalid(text, remedy=KUBERNETES_REMEDY)
    return ConfigurationInvalid(text)


def _sentence(detail: ErrorDetails) -> str:
    """Return `STATEROOM_NAME: what is wrong`, on one line and without the value of a secret."""
    message = " ".join(detail["msg"].removeprefix("Value error, ").split())
    if not detail["loc"]:
        return message  # a rule about several settings names them itself
    place = str(detail["loc"][0])
    name = next(
        (name for name in Settings.model_fields if place in (name, *variables_of(name))), place
    )
    if detail["type"] == "extra_forbidden":
        return f"{name}: there is no such setting"
    message = message[:1].lower() + message[1:]
    value = detail.get("input")
    if name in SECRET_FIELDS or detail["type"] == "value_error":
        return f"{variables_of(name)[0]}: {message}"
    return f"{variables_of(name)[0]}: {message}, not {str(value)[:80]!r}"
