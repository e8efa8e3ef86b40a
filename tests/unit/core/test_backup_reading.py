"""Exports are read as they were written, and damage is told by its line."""

import hashlib
from collections.abc import Sequence

import pytest

from app.core.backup import ObjectHead
from app.core.backup_lines import (
    AlarmLine,
    EndLine,
    FinishLine,
    HeaderLine,
    RowLine,
    alarm_line,
    end_line,
    finish_line,
    head_line,
    header_line,
    line_digest,
    row_line,
)
from app.core.backup_reading import (
    BackupEvent,
    BackupReader,
    Damage,
    LineSplitter,
    ObjectBegins,
    ObjectEnds,
)
from app.core.content_digest import ContentDigest
from app.core.errors import BackupTruncated, BackupUnreadable
from app.core.ids import ObjectIds
from app.core.values import Alarm, AlarmFailure

IDS = ObjectIds(b"k" * 32)
HEADER = header_line(HeaderLine(made_at="2026-11-23T10:00:00.000Z", cluster=IDS.fingerprint))
ALARM = Alarm(
    due_ms=5,
    next_attempt_ms=None,
    counted_attempts=1,
    payload=b"\x00\xff",
    every_ms=1000,
    failure=AlarmFailure(error_class="E", error_text='"\n', at_ms=7),
)
ROWS = ((b"", b"1"), (b"a", b""), (b"a\x00", b"\xff" * 100))


def lines_of(name: str, rows: Sequence[tuple[bytes, bytes]] = ROWS) -> list[bytes]:
    """One object with an alarm."""
    object_id = IDS.from_name("notes", name)
    head = ObjectHead(
        namespace="notes",
        name=name,
        uuid=object_id.uuid,
        commit_seq=3,
        created_ms=1_700_000_000_001,
        committed_ms=None,
    )
    content = ContentDigest()
    for key, value in rows:
        content.add(key, value)
    first = head_line(head, str(object_id))
    alarm = alarm_line("tick", ALARM)
    end = EndLine(
        digest=content.digest(),
        alarms=1,
        lines_sha256=hashlib.sha256(line_digest(first) + line_digest(alarm)).hexdigest(),
    )
    return [
        first,
        *(row_line(key, value) for key, value in rows),
        alarm,
        end_line(end),
    ]


def export_of(*names: str) -> list[bytes]:
    objects = [lines_of(name) for name in names]
    ends = hashlib.sha256()
    for lines in objects:
        ends.update(line_digest(lines[-1]))
    finish = FinishLine(
        objects=len(names),
        rows=len(ROWS) * len(names),
        size_bytes=sum(len(key) + len(value) for key, value in ROWS) * len(names),
        sha256=ends.hexdigest(),
    )
    return [HEADER, *(line for lines in objects for line in lines), finish_line(finish)]


def read(lines: Sequence[bytes], *, longest_bytes: int = 10_000) -> list[BackupEvent]:
    splitter = LineSplitter(longest_bytes=longest_bytes)
    reader = BackupReader()
    events = [
        event
        for number, raw in splitter.feed(b"".join(lines))
        if (event := reader.take(number, raw)) is not None
    ]
    end = reader.end(len(lines) + 1)
    whole = end is None and not any(isinstance(event, Damage) for event in events)
    assert reader.whole == whole
    return [*events, end] if end is not None else events


def whole_objects(events: Sequence[BackupEvent]) -> list[str | None]:
    """The names of the objects that ended well, as whoever applies them sees it."""
    found: list[str | None] = []
    current = None
    for event in events:
        if isinstance(event, ObjectBegins):
            current = event
        elif isinstance(event, Damage):
            current = None
        elif isinstance(event, ObjectEnds):
            assert current is not None
            found.append(current.head.name)
            current = None
    return found


def damages(events: Sequence[BackupEvent]) -> list[tuple[int, str]]:
    return [(event.line, event.error.code) for event in events if isinstance(event, Damage)]


def test_an_export_is_read_as_it_was_written() -> None:
    events = read(export_of("a", "b\n☃"))
    assert [type(event).__name__ for event in events] == [
        "HeaderLine",
        *(["ObjectBegins", *["RowLine"] * 3, "AlarmLine", "ObjectEnds"] * 2),
        "FinishLine",
    ]
    assert whole_objects(events) == ["a", "b\n☃"]
    assert [(e.key, e.value) for e in events if isinstance(e, RowLine)] == [*ROWS, *ROWS]
    assert {e.name: e.alarm for e in events if isinstance(e, AlarmLine)} == {"tick": ALARM}


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_pieces_of_any_size_make_the_same_lines(size: int) -> None:
    whole = b"".join(export_of("a", "b"))
    splitter = LineSplitter()
    found = [
        line
        for start in range(0, len(whole), size)
        for line in splitter.feed(whole[start : start + size])
    ]
    assert found == list(enumerate(whole.splitlines(), 1))
    assert splitter.rest() is None


def test_a_last_line_without_its_end_is_the_rest() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b"one\ntwo")) == [(1, b"one")]
    assert splitter.rest() == (2, b"two")


def test_a_line_over_the_bound_is_not_kept_and_damages_its_object_alone() -> None:
    lines = export_of("a", "b", "c")
    lines[8] = b'{"row":"' + b"A" * 20_000 + b'"}\n'
    events = read(lines)
    assert damages(events) == [(9, "backup_damaged"), (20, "backup_damaged")]
    assert whole_objects(events) == ["a", "c"]


@pytest.mark.parametrize("number", range(1, 20))
def test_any_line_that_is_lost_is_noticed(number: int) -> None:
    lines = export_of("a", "b", "c")
    del lines[number]
    events = read(lines)
    assert damages(events)
    hit = (number - 1) // 6  # six lines an object
    expected = {"a", "b", "c"} - {"abc"[hit]} if hit < 3 else {"a", "b", "c"}
    assert set(whole_objects(events)) == expected


@pytest.mark.parametrize("position", range(0, 1500, 13))
def test_any_flipped_bit_is_noticed_and_only_whole_objects_are_told(position: int) -> None:
    intact = export_of("a", "b")
    raw = bytearray(b"".join(intact))
    position = len(HEADER) + position % (len(raw) - len(HEADER))
    raw[position] ^= 0x04
    changed = bytes(raw).splitlines(keepends=True)
    events = read(changed)
    assert damages(events)
    assert set(whole_objects(events)) <= {"a", "b"}


def test_a_file_that_was_cut_off_keeps_its_whole_objects() -> None:
    events = read(export_of("a", "b")[:-3])
    assert whole_objects(events) == ["a"]
    last = events[-1]
    assert isinstance(last, Damage)
    assert isinstance(last.error, BackupTruncated)
    assert last.line == 12


def test_objects_that_are_missing_as_a_whole_are_noticed() -> None:
    lines = export_of("a", "b")
    events = read([*lines[:1], *lines[7:]])
    assert whole_objects(events) == ["b"]
    assert damages(events) == [(8, "backup_damaged")]


def test_what_stands_after_the_last_line_is_told_once() -> None:
    lines = export_of("a")
    assert damages(read([*lines, *lines[1:7]])) == [(9, "backup_damaged")]


@pytest.mark.parametrize(
    "first",
    [b"\n", b"{}\n", b"[1]\n", b"\xff\n", b'{"stateroom_export":2,"made_at":"","cluster":""}\n'],
)
def test_what_does_not_begin_like_an_export_is_not_read(first: bytes) -> None:
    with pytest.raises(BackupUnreadable):
        read([first])


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"row":1,"value":""}',
        b'{"row":"@@","value":""}',
        b'{"row":"AA==","value":"AA"}',
        b'{"alarm":"x","due_ms":"1","next_attempt_ms":null}',
        b'{"alarm":"x","due_ms":1e999,"next_attempt_ms":null}',
        b'{"alarm":"\\ud800","due_ms":1,"next_attempt_ms":1,"counted_attempts":0}',
        b'{"end":[]}',
        b'{"end":{"rows":true}}',
        b'{"finish":{}}',
        b'{"error":{"code":"x"}}',
        b'{"object":{"namespace":"notes","name":7,"id":""}}',
        b'{"object":{"namespace":"no\\u0000tes","name":null,"id":""}}',
        b"[" * 5_000,
    ],
)
def test_a_hostile_line_is_damage_and_no_fault_of_ours(line: bytes) -> None:
    lines = export_of("a", "b")
    events = read([*lines[:3], line + b"\n", *lines[3:]])
    assert damages(events)[0] == (4, "backup_damaged")
    assert whole_objects(events) == ["b"]
