"""The lines of an export: NDJSON, one statement a line, written and read here.

    {"stateroom_export":1,"made_at":...,"cluster":...,"namespace":...,"object":...}
    {"object":{"namespace":...,"name":...,"id":...,"commit_seq":...,"created_at":...}}
    {"row":"<key>","value":"<value>"}                  both base64 of what is stored
    {"alarm":"<name>","due_ms":...,"next_attempt_ms":...,...}
    {"end":{"rows":...,"size_bytes":...,"alarms":...,"sha256":...,"lines_sha256":...}}
    {"finish":{"objects":...,"rows":...,"size_bytes":...,"sha256":...}}

An object is whole when its `end` line is there and agrees with what came before it; the file is
when its `finish` line agrees with all the `end` lines. So damage is known by its object, and a
file that was cut off by its last line.
"""

import hashlib
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from .backup import ObjectHead
from .backup_errors import BackupDamaged, BackupUnreadable
from .codec import JsonError, dump_json, parse_json
from .content_digest import Digest
from .errors import StorageRefused
from .limits import ALARM_NAME_BYTES, ALARM_PAYLOAD_BYTES
from .tagged_json import to_tagged
from .values import Alarm, AlarmFailure

FORMAT: Final = 1
LONGEST_LINE_BYTES: Final = 4 << 20
"""A row is at most about 2 MB, which is 2.7 MB as base64."""

_INT8_END: Final = 1 << 63
_INT4_END: Final = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderLine:
    """The first line.

    Attributes:
        made_at: When the export began, RFC 3339.
        cluster: Which cluster made it (`ObjectIds.fingerprint`).
        namespace: The one namespace that was wanted, or None.
        object_id: The one object that was wanted, or None.
        decoded: Whether its rows are for people, and cannot be imported.
    """

    made_at: str
    cluster: str
    namespace: str | None = None
    object_id: str | None = None
    decoded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLine:
    """The first line of an object.

    Attributes:
        namespace: The class it belongs to.
        name: Its name, if it has one.
        id_text: Its id in the cluster that the backup is of, 64 hex digits.
    """

    namespace: str
    name: str | None
    id_text: str


@dataclass(frozen=True, slots=True)
class RowLine:
    """One row as it is stored."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """One alarm, and the digest of its line."""

    name: str
    alarm: Alarm
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLine:
    """The last line of an object.

    Attributes:
        digest: Of its rows.
        alarms: How many alarm lines.
        lines_sha256: Of the digests of its first line and of its alarm lines.
    """

    digest: Digest
    alarms: int
    lines_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishLine:
    """The last line of all."""

    objects: int
    rows: int
    size_bytes: int
    sha256: str


Line = HeaderLine | HeadLine | RowLine | AlarmLine | EndLine | FinishLine


def instant(ms: int) -> str:
    """An instant in RFC 3339, UTC, with milliseconds."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def header_line(header: HeaderLine) -> bytes:
    """Write the first line."""
    line: dict[str, Any] = {"stateroom_export": FORMAT, "made_at": header.made_at}
    line["cluster"] = header.cluster
    if header.namespace is not None:
        line["namespace"] = header.namespace
    if header.object_id is not None:
        line["object"] = header.object_id
    if header.decoded:
        line["values"] = "decoded"
    return dump_json(line) + b"\n"


def head_line(head: ObjectHead, id_text: str) -> bytes:
    """Write the first line of an object."""
    line: dict[str, Any] = {
        "namespace": head.namespace,
        "name": head.name,
        "id": id_text,
        "commit_seq": head.commit_seq,
        "created_at": instant(head.created_ms),
        "committed_at": None if head.committed_ms is None else instant(head.committed_ms),
    }
    if head.frozen:
        line["frozen"] = True
    return dump_json({"object": line}) + b"\n"


def row_line(key: bytes, value: bytes) -> bytes:
    """Write a row."""
    # Base64 needs no escapes, and this is the line that there are millions of.
    return b'{"row":"%b","value":"%b"}\n' % (
        b2a_base64(key, newline=False),
        b2a_base64(value, newline=False),
    )


def decoded_line(key: bytes, value: bytes) -> bytes:
    """Write a row for people: the key as text, the value as tagged JSON (`tagged_json`)."""
    try:
        told = to_tagged(value)
    except (StorageRefused, ValueError, IndexError):
        told = None  # no value of ours; only whoever wrote it knows what it says
    return dump_json({"key": key.decode("utf-8", "replace"), "value": told}) + b"\n"


def alarm_line(name: str, alarm: Alarm) -> bytes:
    """Write an alarm."""
    line: dict[str, Any] = {
        "alarm": name,
        "due_ms": alarm.due_ms,
        "next_attempt_ms": alarm.next_attempt_ms,
        "counted_attempts": alarm.counted_attempts,
        "uncounted_attempts": alarm.uncounted_attempts,
    }
    if alarm.payload is not None:
        line["payload"] = b2a_base64(alarm.payload, newline=False).decode()
    if alarm.every_ms is not None:
        line["every_ms"] = alarm.every_ms
    if alarm.failure is not None:
        failure = alarm.failure
        line["failure"] = [failure.error_class, failure.error_text, failure.at_ms]
    return dump_json(line) + b"\n"


def line_digest(line: bytes) -> bytes:
    """The digest of a line, without its end."""
    return hashlib.sha256(line.rstrip(b"\n")).digest()


def end_line(end: EndLine) -> bytes:
    """Write the last line of an object."""
    line = {
        "rows": end.digest.rows,
        "size_bytes": end.digest.size_bytes,
        "alarms": end.alarms,
        "sha256": end.digest.sha256,
        "lines_sha256": end.lines_sha256,
    }
    return dump_json({"end": line}) + b"\n"


def finish_line(finish: FinishLine) -> bytes:
    """Write the last line of all."""
    line = {
        "objects": finish.objects,
        "rows": finish.rows,
        "size_bytes": finish.size_bytes,
        "sha256": finish.sha256,
    }
    return dump_json({"finish": line}) + b"\n"


def parse_line(raw: bytes) -> Line:
    """Read one line.

    Raises:
        BackupDamaged: It is none of these lines. The text quotes nothing of it.
    """
    try:
        line = parse_json(raw)
    except JsonError:
        raise BackupDamaged("the line is not JSON") from None
    if not isinstance(line, dict):
        raise BackupDamaged("the line is not an object")
    for word, read in _READERS.items():
        if word in line:
            try:
                return read(line, raw)
            except (KeyError, TypeError, ValueError, AttributeError, Base64Error):
                raise BackupDamaged(f"the {word!r} line is not well formed") from None
    raise BackupDamaged("the line is of an unknown kind")


def _header(line: dict[str, Any], _: bytes) -> Line:
    if line["stateroom_export"] != FORMAT:
        raise BackupUnreadable(f"the export is not of format {FORMAT}")
    if "values" in line:
        raise BackupUnreadable("the values of this export are decoded, for people to read")
    return HeaderLine(
        made_at=_text(line["made_at"]),
        cluster=_text(line["cluster"]),
        namespace=_text_or_none(line.get("namespace")),
        object_id=_text_or_none(line.get("object")),
    )


def _head(line: dict[str, Any], _: bytes) -> Line:
    head = line["object"]
    return HeadLine(
        namespace=_text(head["namespace"]),
        name=_text_or_none(head["name"]),
        id_text=_text(head["id"]),
    )


def _row(line: dict[str, Any], _: bytes) -> Line:
    return RowLine(_bytes(line["row"]), _bytes(line["value"]))


def _alarm(line: dict[str, Any], raw: bytes) -> Line:
    failure = line.get("failure")
    payload = line.get("payload")
    alarm = Alarm(
        due_ms=_number(line["due_ms"]),
        next_attempt_ms=_number_or_none(line["next_attempt_ms"]),
        counted_attempts=_number(line["counted_attempts"], end=_INT4_END),
        uncounted_attempts=_number(line["uncounted_attempts"], end=_INT4_END),
        payload=None if payload is None else _bytes(payload),
        every_ms=_number_or_none(line.get("every_ms")),
        failure=None if failure is None else _failure(*failure),
    )
    name = _text(line["alarm"])
    if len(name.encode()) > ALARM_NAME_BYTES or len(alarm.payload or b"") > ALARM_PAYLOAD_BYTES:
        raise ValueError
    return AlarmLine(name, alarm, line_digest(raw))


def _failure(error_class: Any, error_text: Any, at_ms: Any) -> AlarmFailure:
    return AlarmFailure(
        error_class=_text(error_class), error_text=_text(error_text), at_ms=_number(at_ms)
    )


def _end(line: dict[str, Any], _: bytes) -> Line:
    end = line["end"]
    return EndLine(
        digest=Digest(
            rows=_number(end["rows"]),
            size_bytes=_number(end["size_bytes"]),
            sha256=_text(end["sha256"]),
        ),
        alarms=_number(end["alarms"]),
        lines_sha256=_text(end["lines_sha256"]),
    )


def _finish(line: dict[str, Any], _: bytes) -> Line:
    finish = line["finish"]
    return FinishLine(
        objects=_number(finish["objects"]),
        rows=_number(finish["rows"]),
        size_bytes=_number(finish["size_bytes"]),
        sha256=_text(finish["sha256"]),
    )


# The commonest first: a line is asked for each word in turn.
_READERS: Final = {
    "row": _row,
    "object": _head,
    "end": _end,
    "alarm": _alarm,
    "finish": _finish,
}


def parse_header(raw: bytes) -> HeaderLine:
    """Read the first line.

    Raises:
        BackupUnreadable: It is not the first line of an export, or of a format unknown here.
    """
    try:
        header = _header(parse_json(raw), raw)
    except (JsonError, KeyError, TypeError, ValueError):
        raise BackupUnreadable("the first line is not that of an export") from None
    assert isinstance(header, HeaderLine)  # noqa: S101 - says so to mypy
    return header


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # a lone surrogate is a ValueError
    if "\0" in value:
        raise ValueError
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any, *, end: int = _INT8_END) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise TypeError
    return value


def _number_or_none(value: Any) -> int | None:
    return None if value is None else _number(value)


def _bytes(value: Any) -> bytes:
    return a2b_base64(_text(value), strict_mode=True)
