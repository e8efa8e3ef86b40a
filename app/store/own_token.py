"""The token that a start makes when the settings name none: in the data directory, for its owner.

The file can be read by its owner alone; the database knows the token like any other, by a hash,
so every worker of every machine accepts it. One that was revoked, has expired or belongs to
another database is replaced at the next start.
"""

import os
from pathlib import Path
from typing import Final

from ..core.admin import Role
from ..core.admin_tokens import AdminTokens, TokenText
from ..core.errors import ConfigurationInvalid

OWN_TOKEN_FILE: Final = "admin_token"  # noqa: S105 - the name of a file

_MAKER: Final = "start"
_NODE_CHARACTERS: Final = 8


def read_own_token(data_dir: Path) -> TokenText | None:
    """Return the token that a start has left in a data directory, if we may read it."""
    try:
        return TokenText.read((data_dir / OWN_TOKEN_FILE).read_text("ascii").strip())
    except (OSError, UnicodeDecodeError):
        return None


async def ensure_own_token(data_dir: Path, tokens: AdminTokens, *, node: str) -> None:
    """Make the token of a data directory, unless it has one that is valid.

    The caller holds the directory's lock. The file is written first: a token that nobody could
    read would otherwise be valid.

    Raises:
        StoreUnavailable: The database is away.
        ConfigurationInvalid: The file cannot be written.
    """
    text = read_own_token(data_dir)
    known = None if text is None else await tokens.find(text.token_id)
    if text is None or known is not None:
        if text and known and known.valid and known.secret_hash == text.secret_hash:
            return
        text = TokenText.new()
        _write(data_dir / OWN_TOKEN_FILE, text)
    name = f"start of {node[:_NODE_CHARACTERS]}, {text.token_id}"
    await tokens.add(text, name=name, role=Role.ADMIN, by=_MAKER, expires_at=None)


def _write(path: Path, token: TokenText) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    try:
        unfinished.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(unfinished, flags, 0o600), "w") as file:
            file.write(f"{token}\n")
        unfinished.replace(path)
    except OSError as error:
        raise ConfigurationInvalid(
            f"the admin token cannot be written to {path}: {error.strerror}",
            remedy="Set STATEROOM_ADMIN_TOKEN, or make the data directory writable.",
        ) from error
