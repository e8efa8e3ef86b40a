"""The namespaces: what is mounted, with which options, and how much each holds."""

from typing import Final

from ...cluster.namespaces import Namespaces
from ...core.errors import NamespaceUnknown
from ...core.listing import NamespaceTotals, ObjectListing
from ...core.mounts import Mount
from .models import Told
from .operation import AdminCall, Operation, Role

_OWN: Final = __name__.removesuffix(".web.admin.namespaces")
"""What our modules are called before the public name: `app` or `stateroom.app`."""


class NamespaceTold(Told):
    """A namespace: a mounted class and all its objects."""

    name: str
    """As in paths and ids."""
    mounted: bool
    """Whether this worker mounts a class here; objects of a namespace that is not are kept."""
    class_name: str | None
    """The class, as `module:Class`; null if none is mounted."""
    durability: str | None
    """What sends wait for: `commit`, `relaxed` or `none`."""
    options: dict[str, str]
    """The options of the class."""
    objects: int
    """How many objects the lists hold."""
    size_bytes: int
    """What they store together, as each was last measured."""
    rows: int
    """How many keys they have stored."""


class NamespacesTold(Told):
    """All namespaces."""

    items: list[NamespaceTold]
    """In the order of their names."""


class NamespaceOperations:
    """See the module.

    Args:
        listing: What there is.
        namespaces: What is mounted.
    """

    def __init__(self, listing: ObjectListing, namespaces: Namespaces) -> None:
        self._listing = listing
        self._namespaces = namespaces

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            Operation(
                name="list_namespaces",
                method="GET",
                path="/namespaces",
                role=Role.VIEWER,
                tag="objects",
                summary="List the namespaces, with what each holds",
                handle=self._list,
                answer=NamespacesTold,
            ),
            Operation(
                name="get_namespace",
                method="GET",
                path="/namespaces/{namespace}",
                role=Role.VIEWER,
                tag="objects",
                summary="Tell about one namespace",
                handle=self._one,
                answer=NamespaceTold,
                errors=(NamespaceUnknown,),
            ),
        ]

    async def _list(self, _call: AdminCall) -> NamespacesTold:
        return NamespacesTold(items=await self.all())

    async def _one(self, call: AdminCall) -> NamespaceTold:
        for told in await self.all():
            if told.name == call.path["namespace"]:
                return told
        raise NamespaceUnknown(remedy="List the namespaces.")

    async def all(self) -> list[NamespaceTold]:
        """What is mounted, and what holds objects although it is not.

        Raises:
            StoreUnavailable: The database is away.
        """
        totals = {each.namespace: each for each in await self._listing.totals()}
        mounts = {mount.namespace: mount for mount in self._namespaces}
        return [
            _told(name, mounts.get(name), totals.get(name)) for name in sorted({*mounts, *totals})
        ]


def _told(name: str, mount: Mount | None, totals: NamespaceTotals | None) -> NamespaceTold:
    return NamespaceTold(
        name=name,
        mounted=mount is not None,
        class_name=None if mount is None else public_name(mount.cls),
        durability=None if mount is None else mount.durability.value,
        options={} if mount is None else dict(mount.settings),
        objects=totals.objects if totals else 0,
        size_bytes=totals.size_bytes if totals else 0,
        rows=totals.rows if totals else 0,
    )


def public_name(cls: type) -> str:
    """How a class is named in settings; ours by their public modules."""
    module = cls.__module__
    if module.startswith(f"{_OWN}."):
        part = module.removeprefix(f"{_OWN}.").split(".")[0]
        module = f"stateroom.{part}"
    return f"{module}:{cls.__qualname__}"
