"""What operators do with the rows of an object: put one, delete one, delete those of a prefix.

Each is an event of the object's own storage, with the bounds that hold for its author. Conditions
are proved on what stands in the very event that writes. The instance is let go with the write.
"""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from ..core.admin_errors import KeyUnknown, PreconditionFailed, StorageGuarded
from ..core.limits import KEYS_PER_CALL
from ..core.storage_codec import decode_value, with_expiry
from ..core.stored_keys import version_of
from .buffer import Absence
from .entries import stored_key
from .scan import key_range
from .steering import Manner, SteerAnswer, Steered, SteerHandler, refusing

_CLEARED: Final = 2_000
"""Rows that one event deletes, so that the object's own events get their turn between."""


async def _put(steered: Steered) -> SteerAnswer:
    """`key`, `expires_ms` or None, conditions, `force`; the body is the value in stored form."""
    meta, body = steered.meta, steered.body
    key, expires_ms = str(meta["key"]), meta.get("expires_ms")
    with refusing():
        before = await _before(steered, key)
        value = decode_value(body)
        if expires_ms is None:
            steered.storage.put(key, value)
        else:
            steered.storage.put(key, value, expires_at=int(expires_ms))
    steered.renew()
    version = version_of(body if expires_ms is None else with_expiry(body, int(expires_ms)))
    return {"version": version, "created": before is None}, b""


async def _delete(steered: Steered) -> SteerAnswer:
    """`key`, conditions, `force`."""
    key = str(steered.meta["key"])
    with refusing():
        if await _before(steered, key) is None:
            raise KeyUnknown
        steered.storage.delete(key)
    steered.renew()
    return {}, b""


async def _clear(steered: Steered) -> SteerAnswer:
    """`prefix`, `force`; deletes some rows and says whether there may be more."""
    keys: list[str] = []
    with refusing():
        _check_guard(steered)
        prefix = str(steered.meta["prefix"])
        wanted = key_range(prefix, None, None, None, reverse=False, limit=_CLEARED + 1)
        if wanted is not None:
            async with aclosing(steered.reader.pages(wanted, steady=True)) as pages:
                async for rows in pages:
                    keys += [key.decode() for key, _ in rows]
                    if len(keys) > _CLEARED:
                        break
        cleared = keys[:_CLEARED]
        for start in range(0, len(cleared), KEYS_PER_CALL):
            steered.storage.delete_many(cleared[start : start + KEYS_PER_CALL])
    if cleared:
        steered.renew()
    return {"deleted": len(cleared), "more": len(keys) > _CLEARED}, b""


async def _before(steered: Steered, key: str) -> bytes | None:
    """What stands under the key, in stored form, if the conditions hold.

    Raises:
        StorageGuarded: The class guards its storage, and the change is not forced.
        PreconditionFailed: A condition does not hold.
        StorageRefused: It is no key.
    """
    _check_guard(steered)
    raw, reader = stored_key(key), steered.reader
    found = reader.look(raw)
    if isinstance(found, Absence):
        found = (await reader.read([raw], keep=True)).get(raw)
    _check_conditions(steered.meta, None if found is None else version_of(found))
    return found


def _check_guard(steered: Steered) -> None:
    if steered.mount.cls.guards_storage and not steered.meta.get("force"):
        raise StorageGuarded


def _check_conditions(meta: Mapping[str, Any], version: str | None) -> None:
    """`if_match` and `if_none_match`: lists of versions, in which `*` is any; None asks nothing."""
    wanted, unwanted = meta.get("if_match"), meta.get("if_none_match")
    if wanted is not None and not _named(wanted, version):
        raise PreconditionFailed
    if unwanted is not None and _named(unwanted, version):
        raise PreconditionFailed


def _named(versions: list[str], version: str | None) -> bool:
    return version is not None and (version in versions or "*" in versions)


STORAGE_HANDLERS: Final = (
    SteerHandler(name="storage_put", manner=Manner.TURN, run=_put),
    SteerHandler(name="storage_delete", manner=Manner.TURN, run=_delete),
    SteerHandler(name="storage_clear", manner=Manner.TURN, run=_clear),
)
