"""What `stateroom check` looks at: everything a start needs, without starting anything.

Each finding is good, doubtful or bad, and a bad one says what to do. A finding that depends on a
bad one is left out, so the first bad line is the one to mend.
"""

import asyncio
import platform
from collections.abc import Callable, Iterator
from contextlib import closing

from .. import BUILD, __version__
from ..core.errors import (
    ConfigurationInvalid,
    DataDirectoryInUse,
    PortTaken,
    StateroomError,
)
from ..native import Build
from ..settings import Settings, unknown_variables
from ..store.binaries import find_binaries
from ..store.data_directory import DataDirectory
from ..store.driver import Pooler
from ..store.embedded import url_left_in
from ..store.inspection import remarks_on
from ..store.migration import check_schema
from ..wiring import mounts_of
from .findings import Finding, Verdict, doubtful, good
from .listening import bind_socket
from .serving import carrier_of


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything in turn; what takes long is yielded when it is known."""
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    told = good if BUILD is not Build.STALE else doubtful
    yield told("stateroom", f"{__version__}, {BUILD.value}")
    yield good("python", python)
    yield good("sockets", f"carried by {carrier_of(settings)}")
    for variable, probably in unknown_variables().items():
        meant = f"; {probably} was meant?" if probably else ""
        yield doubtful("settings", f"{variable} is no setting{meant}")
    yield _judged("access", settings, _access)
    yield _judged("address", settings, _address)
    yield _judged("objects", settings, _objects)
    if settings.database_url is not None:
        found = _judged("database", settings, _database)
        yield found
        if found.verdict is Verdict.GOOD:
            yield from _remarks(settings)
    else:
        yield _judged("postgres", settings, _binaries)
    where = _judged("data directory", settings, _data_directory)
    yield where
    url = url_left_in(settings.data_dir)
    if settings.database_url is None and where.verdict is Verdict.DOUBTFUL and url is not None:
        yield good("its postgres", f"psql '{url}'")


def _access(settings: Settings) -> str:
    return f"rooms: {settings.effective_room_access().value}, on {settings.host}"


def _address(settings: Settings) -> str:
    with closing(bind_socket(settings.host, settings.port)):
        return f"port {settings.port} of {settings.host} is free"


def _objects(settings: Settings) -> str:
    return ", ".join(sorted(mounts_of(settings, {})))


def _database(settings: Settings) -> str:
    if settings.database_url is None:
        return ""
    asyncio.run(check_schema(settings.database_url.get_secret_value()))
    return "it answers, and its schema is the one this version needs"


def _remarks(settings: Settings) -> Iterator[Finding]:
    """What the server's settings mean, where they give reason for doubt."""
    if settings.database_url is None:
        return
    url = settings.database_url.get_secret_value()
    pooler = Pooler(settings.database_pooler.value)
    try:
        remarks = asyncio.run(remarks_on(url, pooler=pooler))
    except StateroomError as error:
        # The schema could be looked at a moment ago: a pooler that nobody told us of says so.
        yield Finding(subject="database", verdict=Verdict.BAD, text=f"{error}. {error.remedy}")
        return
    for remark in remarks:
        yield doubtful("database", remark)


def _binaries(settings: Settings) -> str:
    found = find_binaries(settings.postgres_bin)
    return f"{found.major}, in {found.folder}"


def _data_directory(settings: Settings) -> str:
    path = settings.data_dir.absolute()
    if not path.exists():
        return f"{path} will be made"
    if not path.is_dir():
        raise ConfigurationInvalid(f"STATEROOM_DATA_DIR: {path} is not a folder")
    with DataDirectory(path):
        return f"{path} is free"


def _judged(subject: str, settings: Settings, look: Callable[[Settings], str]) -> Finding:
    try:
        return good(subject, look(settings))
    except (PortTaken, DataDirectoryInUse) as error:
        # As it is while the service runs, so no reason to alarm anybody.
        return doubtful(subject, f"{error} (by a running Stateroom?)")
    except StateroomError as error:
        text = f"{error}. {error.remedy}" if error.remedy else str(error)
        return Finding(subject=subject, verdict=Verdict.BAD, text=" ".join(text.split()))
