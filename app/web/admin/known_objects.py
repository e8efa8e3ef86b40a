"""The objects that the paths of the admin plane name, and whether there are such."""

from typing import Final

from ...cluster.locator import Locator
from ...core.errors import ObjectUnknown
from ...core.ids import ObjectId
from ...core.limits import LONGEST_NAME_BYTES
from ...core.mounts import Mount
from ...core.object_state import ObjectStates
from .objects_named import object_of
from .operation import AdminCall

OBJECT: Final = "/namespaces/{namespace}/objects/{object}"
"""Where everything of one object begins."""


class KnownObjects:
    """See the module.

    Args:
        locator: The namespaces and ids.
        states: Whether there is such an object.
    """

    def __init__(self, locator: Locator, states: ObjectStates) -> None:
        self._locator = locator
        self._states = states

    def named(self, call: AdminCall) -> ObjectId:
        """The object that a call names, which may not be.

        Raises:
            NamespaceUnknown, IdInvalid: There can be none.
        """
        locator = self._locator
        return object_of(call.path, locator.ids, locator.namespaces, name_bytes=LONGEST_NAME_BYTES)

    def mount(self, object_id: ObjectId) -> Mount:
        """The class of an object that was named."""
        return self._locator.namespaces.mount(object_id.namespace)

    async def known(self, call: AdminCall) -> ObjectId:
        """The object that a call names, if there is such; nothing is woken.

        Raises:
            NamespaceUnknown, IdInvalid, ObjectUnknown: There is none.
        """
        object_id = self.named(call)
        await self.check(object_id)
        return object_id

    async def check(self, object_id: ObjectId) -> None:
        """Raise ObjectUnknown if there is no such object."""
        if await self._states.state(object_id) is None:
            raise ObjectUnknown
