"""Which object a path of the admin plane names: by name, or by `id:` and 64 hex digits."""

import re
from collections.abc import Container, Mapping
from typing import Final

from ...core.errors import NamespaceUnknown
from ...core.ids import ObjectId, ObjectIds
from ..addresses import check_name

_BY_ID: Final = re.compile(r"id:([0-9a-f]{64})")


def object_of(
    path: Mapping[str, str],
    ids: ObjectIds,
    namespaces: Container[str],
    *,
    name_bytes: int,
) -> ObjectId:
    """Return the object that `{namespace}` and `{object}` of a path name; nothing is looked up.

    Raises:
        NamespaceUnknown: No such namespace is mounted.
        IdInvalid: The name is too long, or the id is not one of this namespace.
    """
    namespace, name = path["namespace"], path["object"]
    if namespace not in namespaces:
        raise NamespaceUnknown(remedy="List the namespaces.")
    by_id = _BY_ID.fullmatch(name)
    if by_id is not None:
        return ids.from_string(namespace, by_id[1])
    return ids.from_name(namespace, check_name(name, limit_bytes=name_bytes))
