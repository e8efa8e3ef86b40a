"""Files of other TinyBase servers, whole and broken, as pieces for a room."""

import json  # noqa: TID251 - writes the files of strangers
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.sdk import Upload
from app.tinybase import foreign_kv, foreign_sqlite
from app.tinybase.content import export_content, get_tables, get_values
from app.tinybase.foreign import read_foreign, replica_of
from app.tinybase.foreign_sqlite import encoded_prefix
from app.tinybase.replica import Replica
from tests.unit.tinybase.replicas import cells, filled, hlc, values

PIECE = 1 << 20
DELETED = "\ufffc"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def pieces(file: Path, form: str, source: str = "", **more: Any) -> list[Any]:
    upload = Upload(format=form, source=source, **more)
    return [json.loads(piece) for piece in read_foreign(file, upload, PIECE)]


def taken(file: Path, form: str, source: str = "") -> Replica:
    (piece,) = pieces(file, form, source)
    return replica_of(piece)


def some() -> Replica:
    return filled(
        cells("pets", 'fi"do', {"a": [1, hlc(1)], "b": [DELETED, hlc(2)], "c": ["\ufffd[1]", ""]}),
        cells("a:b", "", {"": [None, hlc(3)]}),
        values({"v": [True, hlc(4)], "w": [DELETED, hlc(5)]}),
    )


# -- content -----------------------------------------------------------------------------------


def test_content_with_stamps_keeps_them_and_hashes_are_made_again(file: Path) -> None:
    content = export_content(some())
    content[0][2] = 12345
    file.write_text(json.dumps(content))
    assert taken(file, "content").content_hashes() == some().content_hashes()


def test_objects_in_cells_are_hashed_by_their_text(file: Path) -> None:
    decoded = json.dumps(export_content(some())).replace('"\\ufffd[1]"', "[1]")
    assert "[1]" in decoded
    file.write_text(decoded)
    assert taken(file, "content").content_hashes() == some().content_hashes()


@pytest.mark.parametrize("form", [list, lambda pair: {"tables": pair[0], "values": pair[1]}])
def test_plain_content_comes_as_tables_and_values(file: Path, form: Callable[[Any], Any]) -> None:
    tables, given = {"t": {"r": {"c": {"x": [1]}, "n": None}}}, {"v": 1.5}
    file.write_text(json.dumps(form((tables, given))))
    assert pieces(file, "content") == [{"tables": tables, "values": given}]


def test_content_can_be_taken_without_its_stamps(file: Path) -> None:
    file.write_text(json.dumps(export_content(some())))
    (piece,) = pieces(file, "content", restamp=True)
    assert piece == {"tables": get_tables(some()), "values": get_values(some())}


@pytest.mark.parametrize("content", [[{}, {}], [[{}, "", 0], [{}, "", 0]], {}])
def test_nothing_is_a_piece_too(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))
    assert len(pieces(file, "content")) == 1


@pytest.mark.parametrize("plain", [True, False])
def test_much_comes_in_pieces_that_lose_nothing(
    file: Path, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.tinybase.test_foreign.PIECE", 2_000)
    many = filled(
        *(cells(f"t{row % 3}", str(row), {"c": ["x" * 100, hlc(row)]}) for row in range(100)),
        values({str(each): [each, hlc(each)] for each in range(100)}),
    )
    file.write_text(json.dumps(export_content(many)))
    found = pieces(file, "content", restamp=plain)
    assert len(found) > 5
    assert all(len(json.dumps(piece)) < 4_000 for piece in found)
    if plain:
        rows = [
            row for piece in found for table in piece.get("tables", {}).values() for row in table
        ]
        assert sorted(map(int, rows)) == list(range(100))
    else:
        assert filled(*found).content_hashes() == many.content_hashes()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON"),
        ("[{}", "no JSON"),
        ("[{}]", "neither"),
        ("7", "neither"),
        ('[{"t": 1}, {}]', "tables/t is a number"),
        ('[{}, {"v": NaN}]', "no JSON"),
        ("[[{}],[[]]]", "stamp"),
        ('[[{"t":[{"r":[{"c":[1,"short",0]}]}]}],[{}]]', "stamp"),
        ("[" * 10_000 + "]" * 10_000, "no JSON"),
    ],
)
def test_what_is_no_content_is_refused_with_a_reason(file: Path, text: str, problem: str) -> None:
    file.write_text(text)
    with pytest.raises(ValueError, match=problem):
        pieces(file, "content")


def test_an_unknown_format_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="content, kv, sqlite"):
        pieces(file, "yaml")


def test_a_json_text_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.tinybase.foreign_json.JSON_BYTES", 10)
    file.write_text("[{},   {}  ]")
    with pytest.raises(ValueError, match="10 bytes"):
        pieces(file, "content")


# -- keys and values ---------------------------------------------------------------------------


def dump(replica: Replica, prefix: str = "") -> list[tuple[str, Any]]:
    (tables, _, _), (held, _, _) = export_content(replica)
    entries: list[tuple[str, Any]] = [(f"{prefix}t", [0, "", 1]), (f"{prefix}v", [0, "", 1])]
    for table, (rows, _, table_hash) in tables.items():
        entries.append((f"{prefix}t{json.dumps(table)}", [0, "", table_hash]))
        for row, (leaves, _, row_hash) in rows.items():
            ids = json.dumps([table, row])[1:-1]
            entries.append((f"{prefix}t{ids}", [0, "", row_hash]))
            entries += [
                (f"{prefix}t{json.dumps([table, row, cell])[1:-1]}", leaf)
                for cell, leaf in leaves.items()
            ]
    entries += [(f"{prefix}v{json.dumps(each)}", leaf) for each, leaf in held.items()]
    return entries


def as_lines(entries: list[tuple[str, Any]]) -> str:
    return "\n".join(json.dumps(each) for each in entries) + "\n\n"


def as_named_lines(entries: list[tuple[str, Any]]) -> str:
    return "\r\n".join(json.dumps({"key": key, "value": node}) for key, node in entries)


@pytest.mark.parametrize(
    "form",
    [
        as_lines,
        as_named_lines,
        json.dumps,
        lambda entries: json.dumps(dict(entries)),
        lambda entries: json.dumps(dict(entries), indent=2),
    ],
)
@pytest.mark.parametrize("prefix", ["", "p_", 't"'])
def test_a_dump_of_keys_is_read_in_any_form(
    file: Path, form: Callable[[Any], str], prefix: str
) -> None:
    file.write_text(form([*dump(some(), prefix), ("tasks", 1), ("v1", 2), (f"{prefix}t[", 3)]))
    found = taken(file, "kv", prefix)
    assert found.content_hashes() == some().content_hashes()
    assert get_tables(found) == get_tables(some())


def test_one_key_alone_is_a_dump(file: Path) -> None:
    file.write_text(json.dumps(["v" + '"x"', [7, hlc(1), 0]]))
    assert get_values(taken(file, "kv")) == {"x": 7}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON"),
        ("[]", "no key in it"),
        ('{"other": 1}', "no key in it"),
        ('["t"]', "an entry of a dump"),
        ("7", "an entry of a dump"),
        ('{"t": 5}', "no stamp"),
        ('{"t": []}', "no stamp"),
        ('["v", [0]]\n[1, 2]', "an entry of a dump"),
        ('["v", [0]]\n{', "no JSON"),
        ('{"v\\"x\\"": [1, "short", 0]}', "stamp"),
    ],
)
def test_what_is_no_dump_is_refused(file: Path, text: str, problem: str) -> None:
    file.write_text(text)
    with pytest.raises(ValueError, match=problem):
        pieces(file, "kv")


def test_a_line_of_a_dump_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_kv, "JSON_BYTES", 20)
    file.write_text('["v",[0]]\n["v\\"x\\"",["' + "x" * 100 + '"]]')
    with pytest.raises(ValueError, match="no JSON"):
        pieces(file, "kv")


# -- SQLite ------------------------------------------------------------------------------------


def database(file: Path, *statements: str | tuple[str, list[Any]]) -> None:
    with closing(sqlite3.connect(file)) as made, made:
        for statement in statements:
            if isinstance(statement, str):
                made.execute(statement)
            else:
                made.executemany(*statement)


def json_mode(table: str, text: Any) -> list[str | tuple[str, list[Any]]]:
    return [
        f'CREATE TABLE "{table}" ("_id" PRIMARY KEY, "store")',
        (f'INSERT INTO "{table}" VALUES (?, ?)', [("_", text)]),  # noqa: S608 - of a test
    ]


def fragments(prefix: str, nodes: list[Any], held: list[Any]) -> list[str | tuple[str, list[Any]]]:
    columns = "value_data TEXT, timestamp TEXT, hash INTEGER"
    return [
        f'CREATE TABLE "{prefix}tinybase_tables" (type, table_id, row_id, cell_id, {columns})',
        f'CREATE TABLE "{prefix}tinybase_values" (value_id TEXT, {columns})',
        (f'INSERT INTO "{prefix}tinybase_tables" VALUES (?, ?, ?, ?, ?, ?, 0)', nodes),  # noqa: S608 - of a test
        (f'INSERT INTO "{prefix}tinybase_values" VALUES (?, ?, ?, 0)', held),  # noqa: S608 - of a test
    ]


def test_old_and_new_records_of_a_row_are_read_and_the_new_ones_count(file: Path) -> None:
    new = json.dumps([{"a": [1, hlc(2), 0], "b": [DELETED, hlc(3), 0]}])
    nodes = [
        ("t", None, None, None, "[0]", ""),
        ("t", "old", "r", None, "[0]", ""),
        ("t", "old", "r", "a", "[7]", hlc(1)),
        ("t", "old", "r", "b", json.dumps([DELETED]), hlc(1)),
        ("t", "both", "r", "a", "[7]", hlc(1)),
        ("t", "both", "r", None, new, ""),
        ("t", "both", "r", "c", "[7]", hlc(1)),
        ("x", "other", "r", "a", "[7]", hlc(1)),
    ]
    database(file, *fragments("", nodes, [(None, "[0]", ""), ("v", "[true]", hlc(4))]))
    found = taken(file, "sqlite")
    assert get_tables(found) == {"old": {"r": {"a": 7}}, "both": {"r": {"a": 1}}}
    assert get_values(found) == {"v": True}
    assert found.cells("both", "r").keys() == {"a", "b"}


def test_a_file_with_several_contents_needs_a_source(file: Path) -> None:
    plain = json.dumps([{}, {"v": 1}])
    database(
        file,
        *json_mode("one", plain),
        *json_mode("two", plain.replace("1", "2")),
        *fragments(encoded_prefix("Ä-"), [], [("v", "[3]", hlc(1))]),
    )
    with pytest.raises(ValueError, match=r"name as the source.*'one', 'two'"):
        pieces(file, "sqlite")
    assert pieces(file, "sqlite", "two") == [{"values": {"v": 2}}]
    assert get_values(taken(file, "sqlite", "Ä-")) == {"v": 3}
    with pytest.raises(ValueError, match="'three' is neither"):
        pieces(file, "sqlite", "three")


def test_a_prefix_is_encoded_as_tinybase_does() -> None:
    assert encoded_prefix("a_1") == "a_1"
    assert encoded_prefix("A💥") == "$tinybase$$0041$d83d$dca5$"


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        ([], "nothing"),
        (["CREATE TABLE t (a, b, c)"], "nothing"),
        (["CREATE VIEW tinybase AS SELECT 1 AS _id, 2 AS store"], "nothing"),
        (["CREATE VIRTUAL TABLE t USING fts5(_id, store)"], "name as the source|nothing"),
        (json_mode("t", None), "no content in JSON mode"),
        (json_mode("t", b"[{},{}]"), "no content in JSON mode"),
        (json_mode("t", "{"), "no JSON"),
        (fragments("", [("t", b"x", "r", "a", "[7]", "")], []), "no text"),
        (fragments("", [("t", "t", "r", "a", "[7]", b"x")], []), "no text"),
        (fragments("", [("t", "t", "r", "a", "7", "")], []), "one element"),
        (fragments("", [("t", "t", "r", "a", None, "")], []), "one element"),
        (fragments("", [("t", "t", "r", None, '[{"a":7}]', "")], []), "stamp"),
        (fragments("", [], [("v", "[1]", "short")]), "stamp"),
        (
            [
                "CREATE TABLE tinybase_values (value_id, value_data, timestamp)",
                "CREATE TABLE tinybase_tables (type, hash)",
            ],
            "has no column",
        ),
    ],
)
def test_databases_without_a_content_are_refused(
    file: Path, statements: list[Any], problem: str
) -> None:
    database(file, *statements)
    with pytest.raises(ValueError, match=problem):
        pieces(file, "sqlite")


def test_nothing_in_a_hostile_schema_is_run(file: Path) -> None:
    database(
        file,
        "CREATE TABLE t (_id, store AS (hex(zeroblob(100000000))) VIRTUAL)",
        "INSERT INTO t (_id) VALUES ('_')",
    )
    with pytest.raises(ValueError, match="neither"):
        pieces(file, "sqlite", "t")


def test_a_view_that_says_it_is_a_table_is_not_run(file: Path) -> None:
    database(
        file,
        "CREATE VIEW t AS SELECT '_' AS _id, hex(zeroblob(10)) AS store",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET type = 'table' WHERE name = 't'",
    )
    with pytest.raises(ValueError, match="SQLite"):
        pieces(file, "sqlite", "t")


@pytest.mark.parametrize(
    "statement", ["SELECT hex(store) FROM t", "PRAGMA writable_schema = 1", "DELETE FROM t"]
)
def test_a_connection_to_a_strangers_file_may_read_columns_and_nothing_else(
    file: Path, statement: str
) -> None:
    database(file, *json_mode("t", "[{},{}]"))
    with closing(foreign_sqlite._open(file)) as connection:
        assert connection.execute("SELECT store FROM t").fetchall() == [("[{},{}]",)]
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            connection.execute(statement)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 5_000])
def test_what_is_no_database_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"SQLite|nothing"):
        pieces(file, "sqlite")


def test_a_database_with_broken_pages_is_refused_or_read_and_never_more(file: Path) -> None:
    nodes = [("t", "t", str(row), "a", '["' + "x" * 500 + '"]', hlc(row)) for row in range(300)]
    database(file, *fragments("", nodes, []))
    whole = file.read_bytes()
    for at in range(100, len(whole), len(whole) // 60):
        file.write_bytes(whole[:at] + b"\xff\x00\x7f\x41" + whole[at + 4 :])
        try:
            pieces(file, "sqlite")
        except ValueError:
            continue


def test_what_is_read_of_a_database_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database(file, *fragments("", [("t", "t", "r", "a", "[7]", hlc(1))] * 100, []))
    monkeypatch.setattr(foreign_sqlite, "READ_BYTES", 1_000)
    with pytest.raises(ValueError, match="1000 bytes"):
        pieces(file, "sqlite")


def test_steps_on_a_database_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database(file, *fragments("", [("t", "t", "r", "a", "[7]", hlc(1))] * 1_000, []))
    monkeypatch.setattr(foreign_sqlite, "_STEPS_AT_ONCE", 100)
    monkeypatch.setattr(foreign_sqlite, "_MOST_STEPS", 5)
    with pytest.raises(ValueError, match="interrupted"):
        pieces(file, "sqlite")
