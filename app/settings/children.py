"""The environment that a supervisor gives to its workers: its own settings, and the database."""

from .model import Settings
from .sources import DATABASE_URL_VARIABLES, PREFIX, environ


def child_environment(settings: Settings, *, database_url: str) -> dict[str, str]:
    """Return the environment for a worker process.

    What was given on the command line is put where the worker reads it; the database is the one
    that the supervisor has started or was told, and no file or other variable may contradict it.
    """
    children = {
        name: value
        for name, value in environ.items()
        if name.removesuffix("_FILE") not in DATABASE_URL_VARIABLES
    }
    children[DATABASE_URL_VARIABLES[0]] = database_url
    children[f"{PREFIX}HOST"] = settings.host
    children[f"{PREFIX}PORT"] = str(settings.port)
    children[f"{PREFIX}WORKERS"] = str(settings.workers)
    children[f"{PREFIX}DATA_DIR"] = str(settings.data_dir.absolute())
    return children
