"""Frames that somebody made up: valid ones, broken ones, and ones that are nearly right.

Seeded, so a failure can be repeated. Each volley is a list of frames that belong together. What
they are made of: the 141 cases of the vectors, messages of every type with odd ids, values and
stamps, mutations of their JSON trees and of their bytes, and messages in fragments that are
shuffled, doubled, cut off or counted wrongly.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.codec import parse_json

VECTORS = Path(__file__).parents[2] / "vectors" / "frames-validity.json"
LARGEST_BASE = 4_000
ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

ODD_TEXTS = (
    *("", "__proto__", "constructor", "toString", "a:b", ":", "0", "-1", "S", "M"),
    *("\u0000", "\ufffc", "\ufffd{}", "\ufffd[1", "\u2028\u2029", "\x7f", '"', "\\", "\n", "\r\n"),
    *("\U0001f600", "e\u0301", "\u202e", "#000001", 'x"#000001', "'; drop table object; --"),
    *("n", "r", "t", "v", "=", "+2", "$", "k" * 300, "\u00e9" * 700, "x" * 1_500),
)
ODD_TOKENS = (
    *("null", "true", "false", "0", "-0", "1", "-1", "1.0", "1.5", "1e3", "1E+2", "5e-324"),
    *("4294967295", "4294967296", "4294967295.0", "9007199254740993", "18446744073709551616"),
    *("1e308", "1e309", "-1e400", "NaN", "Infinity", "01", "1.", ".5", "+1", "0x10"),
    *("[]", "{}", "[[]]", "[{}]", "[null]", '[{},""]', '"\\ud800"', '"\\udc00\\ud800"'),
    *('"\\ufffc"', '"\\u0000"', '"unclosed', "[1,]", "{,}", '{"a":1,"a":2}', "tru", "/**/1"),
    *("[" * 150 + "]" * 150, "[" * 250 + "]" * 250, '{"a":' * 90 + "1" + "}" * 90),
)


class Token(str):
    """JSON text that is put in as it is."""

    __slots__ = ()


class FrameMutator:
    """See the module."""

    def __init__(self, seed: int, *, tables: int = 4, rows: int = 12) -> None:
        self.random = random.Random(seed)
        self._tables = tables
        self._rows = rows
        cases = parse_json(VECTORS.read_text())["cases"]
        frames = [frame for case in cases for frame in case["frames"]]
        self._bases = [
            frame
            for frame in frames
            if isinstance(frame, str) and "@BIG" not in frame and len(frame) < LARGEST_BASE
        ]
        self._ways: list[tuple[int, Callable[[], list[str | bytes]]]] = [
            (30, self._valid),
            (30, self._mutated_tree),
            (15, self._mutated_bytes),
            (10, self._fragments),
            (10, self._case),
            (5, self._binary),
        ]

    def volley(self) -> list[str | bytes]:
        """Return the next frames."""
        weights = [weight for weight, _ in self._ways]
        (way,) = self.random.choices([way for _, way in self._ways], weights)
        return way()

    def wrapped(self, channel: str) -> list[str | bytes]:
        """Return frames for a multiplexed socket."""
        random = self.random
        if random.random() < 0.1:
            control = random.choice(["0", "1", "2", "3", "-1", "0.0", '"1"', "null"])
            request = random.choice(['"id"', "null", "1", '""'])
            body = random.choice(["1", '"1"', f'"{channel}"', '"a/../b"', '"a\\n"', '""', "[1]"])
            return [f"S\n[{request},-1,[{control},{body}]]"]
        name = channel if random.random() < 0.95 else random.choice(ODD_TEXTS)
        return [
            f"M\n{name}\n{frame if isinstance(frame, str) else frame.decode('utf-8', 'replace')}"
            for frame in self.volley()
        ]

    # -- ways ----------------------------------------------------------------------------------

    def _case(self) -> list[str | bytes]:
        return [self.random.choice(self._bases)]

    def _valid(self) -> list[str | bytes]:
        return [f"{self._address()}\n{write(self._message())}"]

    def _binary(self) -> list[str | bytes]:
        (frame,) = self._valid()
        assert isinstance(frame, str)
        data = bytearray(frame.encode())
        if self.random.random() < 0.5:
            data[self.random.randrange(len(data))] = self.random.randrange(256)
        return [bytes(data)]

    def _mutated_tree(self) -> list[str | bytes]:
        message = self._message()
        for _ in range(self.random.choice((1, 1, 1, 2, 5))):
            message = self._changed(message)
        return [f"{self._address()}\n{write(message)}"]

    def _mutated_bytes(self) -> list[str | bytes]:
        random = self.random
        base = random.choice(self._bases) if random.random() < 0.5 else str(self._valid()[0])
        text = list(base)
        for _ in range(random.choice((1, 1, 2, 4))):
            at = random.randrange(len(text) + 1)
            match random.randrange(5):
                case 0:
                    del text[at : at + random.choice((1, 2, 10))]
                case 1:
                    text[at:at] = random.choice('[]{}",:0123456789.eE-+\n\\\u0000\ufffc')
                case 2:
                    text[at:at] = text[random.randrange(len(text) + 1) : at + 30]
                case 3:
                    text = text[:at]
                case _:
                    text[at : at + 1] = random.choice(ODD_TOKENS)
        return ["".join(text)]

    def _fragments(self) -> list[str | bytes]:
        random = self.random
        message = self._message()
        text = write(self._changed(message) if random.random() < 0.3 else message)
        count = random.choice((1, 2, 3, 8))
        cuts = sorted(random.randrange(len(text) + 1) for _ in range(count - 1))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        address = self._address()
        name = "".join(random.choices(ALPHABET, k=16 if random.random() < 0.97 else 15))
        total: object = count if random.random() < 0.9 else random.choice((0, 1001, "01", "x", 2))
        frames: list[str | bytes] = [
            f"{address}\n{name}\n{index}\n{total}\n{piece}" for index, piece in enumerate(pieces)
        ]
        if random.random() < 0.4:
            random.shuffle(frames)
        if random.random() < 0.1:
            frames.append(random.choice(frames))
        if random.random() < 0.2:
            frames.pop()
        return frames or [""]

    # -- parts ---------------------------------------------------------------------------------

    def _address(self) -> str:
        random = self.random
        if random.random() < 0.85:
            return random.choice(("", "", "", "S"))
        return random.choice((*ODD_TEXTS, "nobody", "s", "S ")).replace("\n", "")

    def _message(self) -> list[Any]:
        request = self.random.choice(("d", "q.1234", None, *ODD_TEXTS))
        kind = self.random.choice((0, 1, 2, 3, 3, 3, 3, 4, 5, 6, 7))
        return [request, kind, self._body(kind)]

    def _body(self, kind: int) -> Any:
        hashes = self._hashes
        match kind:
            case 1:
                return ""
            case 2:
                return [self._hash(), self._hash()]
            case 3:
                return [self._tables_stamp(), self._stamp(self._leaves()), 1]
            case 4 | 7:
                return hashes(1)
            case 5:
                return hashes(2)
            case 6:
                return hashes(3)
        answers = (
            [self._hash(), self._hash()],
            self._tables_stamp(),
            self._stamp(self._leaves()),
            [self._tables_stamp(), hashes(1)],
            [self._tables_stamp(), hashes(2)],
        )
        return self.random.choice(answers)

    def _tables_stamp(self) -> list[Any]:
        random = self.random
        tables = {
            self._id("table", self._tables): self._stamp(
                {
                    self._id("row", self._rows): self._stamp(self._leaves())
                    for _ in range(random.choice((0, 1, 1, 1, 3)))
                }
            )
            for _ in range(random.choice((0, 1, 1, 1, 2)))
        }
        return self._stamp(tables)

    def _leaves(self) -> dict[str, Any]:
        count = self.random.choice((0, 1, 1, 2, 5))
        return {self._id("cell", 6): self._stamp(self._value(), often=True) for _ in range(count)}

    def _value(self) -> Any:
        random = self.random
        if random.random() < 0.5:
            return random.choice((None, True, 0, -1.5, "text", random.randrange(1 << 40)))
        return random.choice((Token(random.choice(ODD_TOKENS)), random.choice(ODD_TEXTS)))

    def _stamp(self, thing: Any, *, often: bool = False) -> list[Any]:
        random = self.random
        if random.random() < (0.9 if often else 0.1):
            return [thing, self._hlc()]
        return [thing]

    def _hlc(self) -> str:
        random = self.random
        if random.random() < 0.9:  # some day of the past
            return "N" + "".join(random.choices(ALPHABET, k=15))
        return random.choice(("", "-" * 16, "z" * 16, "N" * 15, "N" * 17, "N" * 15 + "\n", "N 5"))

    def _hashes(self, levels: int) -> Any:
        if levels == 0:
            return self._hash()
        name = ("cell", "row", "table")[levels - 1] if levels > 1 else "table"
        return {
            self._id(name, 12): self._hashes(levels - 1)
            for _ in range(self.random.choice((0, 1, 2)))
        }

    def _hash(self) -> Any:
        if self.random.random() < 0.95:
            return self.random.choice((0, self.random.randrange(1 << 32)))
        return Token(self.random.choice(ODD_TOKENS))

    def _id(self, name: str, count: int) -> str:
        if self.random.random() < 0.85:
            return f"{name}{self.random.randrange(count)}"
        return self.random.choice(ODD_TEXTS)

    # -- mutations of trees --------------------------------------------------------------------

    def _changed(self, tree: Any) -> Any:
        """Return the tree with one place changed, deep or shallow."""
        random = self.random
        if isinstance(tree, (list, dict)) and tree and random.random() < 0.8:
            keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
            key = random.choice(keys)
            copy: Any = dict(tree) if isinstance(tree, dict) else list(tree)
            match random.randrange(10):
                case 0:
                    del copy[key]
                case 1 if isinstance(copy, list):
                    copy.insert(key, copy[random.randrange(len(copy))])
                case 2 if isinstance(copy, dict):
                    copy[random.choice(ODD_TEXTS)] = copy.pop(key)
                case _:
                    copy[key] = self._changed(tree[key])
            return copy
        return random.choice(
            (Token(random.choice(ODD_TOKENS)), random.choice(ODD_TEXTS), [tree], {"k": tree}, None)
        )


def write(tree: Any) -> str:
    """JSON text of a tree whose tokens go in as they are."""
    if isinstance(tree, Token):
        return tree
    if isinstance(tree, dict):
        members = (f"{_quoted(key)}:{write(value)}" for key, value in tree.items())
        return "{" + ",".join(members) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(write(item) for item in tree) + "]"
    if isinstance(tree, str):
        return _quoted(tree)
    if tree is None:
        return "null"
    if isinstance(tree, bool):
        return "true" if tree else "false"
    return repr(tree)


def _quoted(text: str) -> str:
    escaped = "".join(
        f"\\u{ord(character):04x}" if character < " " or character in '"\\' else character
        for character in text
    )
    return f'"{escaped}"'
