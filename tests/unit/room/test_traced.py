"""What is recorded of events and commits: who is whose step, and how each ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import ObjectFault
from app.core.ids import CommitSeq, Epoch, ObjectIds
from app.core.ports import BatchSource
from app.core.tracing import NO_ERROR, Span, SpanKind, enclosed, traceparent
from app.core.values import CommitOutcome, CommitResult, WriteBatch
from app.room.admission import Origin
from app.room.buffer import WriteBuffer
from app.room.traced import RoomTracing, TracedEvents

ONE = ObjectIds(b"k" * 16).from_name("rooms", "one")


class Noted:
    """A span that is only noted."""

    def __init__(self, name: str, parent: str | None, links: Sequence[str]) -> None:
        self.name = name
        self.parent = parent
        self.links = list(links)
        self.ended: str | None = None
        self.traceparent = f"of {name}"

    def end(self, error: str = NO_ERROR) -> None:
        if self.ended is None:
            self.ended = error


class Notes:
    """A tracer that notes spans."""

    def __init__(self) -> None:
        self.spans: list[Noted] = []

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, str | int],
        *,
        parent: str | None,
        links: Sequence[str] = (),
    ) -> Span:
        del kind
        assert attributes["stateroom.object"] == "one"
        self.spans.append(Noted(f"{name} {len(self.spans)}", parent, links))
        return self.spans[-1]


class Queue:
    """Takes what is queued: events, and rooms that want to be committed."""

    def __init__(self) -> None:
        self.hooks: list[Any] = []
        self.fails: list[Any] = []
        self.sources: list[BatchSource] = []

    def submit(self, hook: Any, *, fail: Any, origin: Origin) -> None:
        assert origin is Origin.MESSAGE
        self.hooks.append(hook)
        self.fails.append(fail)

    def enqueue(self, source: BatchSource) -> None:
        self.sources.append(source)


class Writer:
    """A room that has something to commit."""

    def __init__(self) -> None:
        self.settled: list[CommitOutcome] = []

    def take_batch(self) -> WriteBatch | None:
        return WriteBatch(
            object_id=ONE,
            epoch=Epoch(1),
            expected=CommitSeq(0),
            wipe=False,
            entries={b"k": b"v"},
            size_bytes=2,
        )

    def settle(self, outcome: CommitOutcome) -> None:
        self.settled.append(outcome)


class Stage:
    def __init__(self) -> None:
        self.notes, self.queue, self.buffer = Notes(), Queue(), WriteBuffer()
        self.tracing = RoomTracing(self.notes, self.queue)
        self.events = TracedEvents(self.queue.submit, self.tracing, ONE, self.buffer)
        self.failed: list[Exception] = []

    def submit(self, hook: Any) -> None:
        self.events.submit(hook, fail=self.failed.append, origin=Origin.MESSAGE)

    def write(self, _instance: object) -> None:
        self.buffer.top.set(b"k", b"v")


def test_an_event_is_a_step_of_its_arrival_and_both_end_with_it() -> None:
    stage = Stage()
    inside: list[str | None] = []
    with enclosed("outside"):
        stage.submit(lambda _instance: inside.append(traceparent.get()))
    (arrived,) = stage.notes.spans
    assert (arrived.name, arrived.parent, arrived.ended) == ("socket message 0", "outside", None)
    stage.queue.hooks[0](None)
    _, event = stage.notes.spans
    assert (event.name, event.parent) == ("event 1", arrived.traceparent)
    assert inside == [event.traceparent]
    assert (arrived.ended, event.ended) == (NO_ERROR, NO_ERROR)
    assert traceparent.get() is None


async def test_an_event_that_waits_is_enclosed_to_its_end() -> None:
    stage = Stage()
    inside: list[str | None] = []

    async def hook(_instance: object) -> str:
        inside.append(traceparent.get())
        return "result"

    stage.submit(hook)
    assert await stage.queue.hooks[0](None) == "result"
    assert inside == [stage.notes.spans[1].traceparent]
    assert [span.ended for span in stage.notes.spans] == [NO_ERROR, NO_ERROR]
    assert traceparent.get() is None


def test_an_event_that_fails_is_marked_with_its_code() -> None:
    stage = Stage()
    stage.submit(lambda _instance: 1 / 0)
    try:
        stage.queue.hooks[0](None)
    except ZeroDivisionError as error:
        stage.queue.fails[0](error)
    assert [span.ended for span in stage.notes.spans] == [ObjectFault.code, ObjectFault.code]
    assert len(stage.failed) == 1


def test_a_commit_is_a_step_of_the_first_writer_and_linked_to_the_others() -> None:
    stage = Stage()
    for _ in range(3):
        stage.submit(stage.write)
    for hook in stage.queue.hooks:
        hook(None)
    writers = [span.traceparent for span in stage.notes.spans if span.name.startswith("event")]
    writer = Writer()
    stage.tracing.enqueue(writer)
    assert stage.queue.sources[0].take_batch() is not None
    commit = stage.notes.spans[-1]
    assert (commit.parent, commit.links) == (writers[0], writers[1:])
    assert [commit.ended] == [None]
    stage.queue.sources[0].settle(CommitOutcome(CommitResult.COMMITTED, CommitSeq(1)))
    assert commit.ended == NO_ERROR
    assert len(writer.settled) == 1
    stage.tracing.enqueue(writer)
    stage.queue.sources[1].take_batch()
    assert stage.notes.spans[-1].parent is None, "who wrote before has nothing to do with it"
    stage.queue.sources[1].settle(CommitOutcome(CommitResult.LOST, CommitSeq(1)))
    assert stage.notes.spans[-1].ended == "lost"


def test_an_event_that_wrote_nothing_is_no_part_of_a_commit() -> None:
    stage = Stage()
    stage.submit(lambda _instance: None)
    stage.queue.hooks[0](None)
    stage.tracing.enqueue(Writer())
    stage.queue.sources[0].take_batch()
    assert stage.notes.spans[-1].parent is None
