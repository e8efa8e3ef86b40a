"""Forking: a copy of an object under another name.

The copy is one snapshot of what is committed; the object itself is not woken. It is written like
an import with `if-empty`: a name that stores something else already is refused, and forking
again, after an answer that was lost, finds the copy and is done. Alarms stay behind unless they
are asked for: both would ring.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from ..core.backup import BackupSource, ObjectHead, Staging, StoredPart
from ..core.content_digest import ContentDigest, Digest
from ..core.errors import ObjectUnknown, Unsupported
from ..core.history import ObjectHistory
from ..core.ids import CommitSeq, ObjectId
from ..core.mounts import Durability
from ..core.values import KeyRange
from ..core.workshop import breathe
from .gathering import Gathering
from .landing import ImportMode, Lander
from .registry import RoomRegistry


class Forker:
    """See the module.

    Args:
        registry: Has the namespaces.
        lander: Writes the copy.
        source: Where objects are read.
        staging: Where the rows of large ones wait.
        history: Where the past of objects is read.
    """

    def __init__(
        self,
        registry: RoomRegistry,
        lander: Lander,
        *,
        source: BackupSource,
        staging: Staging,
        history: ObjectHistory,
    ) -> None:
        self._registry = registry
        self._lander = lander
        self._source = source
        self._staging = staging
        self._history = history

    async def fork(self, object_id: ObjectId, copy_id: ObjectId, *, alarms: bool = False) -> Digest:
        """Copy what an object stores; returns the digest of the copy.

        Args:
            object_id: The object.
            copy_id: What the copy is called.
            alarms: Whether its alarms are copied too.

        Raises:
            ObjectUnknown: The object stores nothing.
            ObjectNotEmpty: The copy's name stores something else.
            StateroomError: The copy could not be written.
        """
        async with aclosing(self._source.parts(object_id.uuid)) as parts:
            return await self.write(parts, copy_id, alarms=alarms)

    async def fork_at(self, object_id: ObjectId, bookmark: str, copy_id: ObjectId) -> Digest:
        """Copy what an object stored at a bookmark; see `fork`. The past has no alarms.

        Raises:
            BookmarkUnknown, BookmarkExpired: Its state of then cannot be told, or could not be
                told to the end.
            StateroomError: See `fork`.
        """
        history = self._history
        stand = await history.stand(object_id)
        if stand is None:
            raise ObjectUnknown
        past = _past(history, object_id, stand.commit_of(bookmark))
        async with aclosing(past) as parts:
            return await self.write(parts, copy_id, alarms=False)

    async def write(
        self, parts: AsyncIterator[StoredPart], copy_id: ObjectId, *, alarms: bool
    ) -> Digest:
        """Write an object from its parts, as `fork` does; raises what it raises."""
        if self._registry.namespaces.mount(copy_id.namespace).durability is Durability.NONE:
            raise Unsupported("the namespace has durability=none and stores nothing")
        gathering = Gathering(
            copy_id,
            line=0,
            source=self._source,
            staging=self._staging,
            only_look=False,
            if_empty=True,
        )
        try:
            digest = await _gather(parts, gathering, alarms=alarms)
            arrival = await gathering.arrived(digest)
            (landed,) = await self._lander.land([arrival], ImportMode.IF_EMPTY)
        finally:
            await gathering.discard()
        if landed.error is not None:
            raise landed.error
        return digest


async def _gather(
    parts: AsyncIterator[StoredPart], gathering: Gathering, *, alarms: bool
) -> Digest:
    content = ContentDigest()
    found = False
    async for part in parts:
        found = True
        if alarms:
            gathering.alarms.update(part.alarms)
        for key, value in part.rows or ():
            content.add(key, value)
            if gathering.add(key, value):
                await gathering.spill()
        await breathe()
    if not found:
        raise ObjectUnknown
    return content.digest()


async def _past(
    history: ObjectHistory, object_id: ObjectId, commit_seq: CommitSeq
) -> AsyncGenerator[StoredPart, None]:
    head = ObjectHead(
        namespace=object_id.namespace,
        name=object_id.name,
        uuid=object_id.uuid,
        commit_seq=commit_seq,
        created_ms=0,
        committed_ms=None,
    )
    wanted = KeyRange()
    while True:
        page = await history.scan(object_id, commit_seq, wanted)
        yield StoredPart(head=head, rows=page.rows)
        if not page.more:
            return
        wanted = KeyRange(start=page.rows[-1][0] + b"\0")
