"""Where settings come from: the names of variables, and secrets in files.

Files are how Docker and Kubernetes hand secrets in: `STATEROOM_ROOM_TOKEN_FILE` names one, or
`STATEROOM_SECRETS_DIR` names a folder of them. White space at the end of a file is not part of
the secret.
"""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from ..core.errors import ConfigurationInvalid

PREFIX = "STATEROOM_"
SECRETS_DIR = "STATEROOM_SECRETS_DIR"
DATABASE_URL_VARIABLES = ("STATEROOM_DATABASE_URL", "DATABASE_URL")
TRACES_EXPORTER_VARIABLES = ("OTEL_TRACES_EXPORTER",)
SECRET_FIELDS = ("database_url", "room_token", "jwt_secret", "admin_token", "metrics_token")

environ = os.environ  # noqa: TID251 - the home of the environment


def variables_of(field_name: str) -> tuple[str, ...]:
    """Return the environment variables of a setting, the first one being its name."""
    if field_name == "database_url":
        return DATABASE_URL_VARIABLES
    if field_name == "traces_exporter":
        return TRACES_EXPORTER_VARIABLES
    return (PREFIX + field_name.upper(),)


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets from files; a variable that is set itself and as a file is refused."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the secret's text, or None when no file holds it."""
        del field
        for variable in variables_of(field_name):
            secret = _from_named_file(variable) or _from_secrets_dir(variable)
            if secret is not None:
                return secret, field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return what the files hold."""
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(fields[name], name)[0] for name in SECRET_FIELDS}
        return {name: secret for name, secret in found.items() if secret is not None}


def _from_named_file(variable: str) -> str | None:
    path = environ.get(f"{variable}_FILE")
    if path is None:
        return None
    if variable in environ:
        detail = f"{variable}: both it and {variable}_FILE are set"
        raise ConfigurationInvalid(detail, remedy="Set one of the two.")
    return _read(Path(path), f"{variable}_FILE")


def _from_secrets_dir(variable: str) -> str | None:
    folder = environ.get(SECRETS_DIR)
    if folder is None:
        return None
    paths = (Path(folder) / variable, Path(folder) / variable.lower())
    path = next((path for path in paths if path.exists()), None)
    return None if path is None else _read(path, SECRETS_DIR)


def _read(path: Path, variable: str) -> str:
    try:
        return path.read_text("utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        detail = f"{variable}: {path} cannot be read ({reason})"
        raise ConfigurationInvalid(detail, remedy="Name a readable text file.") from error
