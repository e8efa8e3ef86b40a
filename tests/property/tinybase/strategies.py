"""What the property tests draw: ids, stamps, changes and frames, small enough to collide often."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from app.sdk.json import dump_json
from app.tinybase.clock import encode_hlc

unhurried = settings(deadline=None)
"""A busy machine is no failure."""

NOW = 1_704_067_200_000
ODD_TEXT = st.text(
    st.one_of(st.characters(), st.sampled_from('\ud800\udc00\ufffc\ufffd\n\0"\\é\U0001f600')),
    max_size=6,
)
IDS = st.sampled_from(["", "a", "b", "1", "é", "__proto__", "\ud800"])
HLCS = st.builds(
    lambda time, counter, writer: encode_hlc(NOW + time, counter, writer),
    st.integers(-2, 2),
    st.integers(0, 1),
    st.sampled_from(["7JQY8", "4JQFF"]),
)
MAYBE_HLCS = st.one_of(st.just(""), HLCS)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    ODD_TEXT,
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
    max_leaves=8,
)


def stamps(thing: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """`[thing]` or `[thing, hlc]`."""
    return st.one_of(
        st.tuples(thing).map(list),
        st.tuples(thing, MAYBE_HLCS).map(list),
    )


def members(stamp: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(IDS, stamp, min_size=least, max_size=3)


CELLS = stamps(st.one_of(SCALARS, st.just("\ufffc"), JSON))
TABLES = stamps(members(stamps(members(stamps(members(CELLS))))))
VALUES = stamps(members(CELLS))
CHANGES = st.tuples(TABLES, VALUES, st.just(1)).map(list)
"""Every legal change, with empty rows and tables and stamps on containers."""

LEAVES = HLCS.map(lambda hlc: [f"written at {hlc}", hlc])
"""Leaves as real clients write them: one stamp belongs to one value."""

CLIENT_CHANGES = st.tuples(
    members(members(members(LEAVES, 1).map(lambda c: [c]), 1).map(lambda r: [r])).map(
        lambda t: [t]
    ),
    members(LEAVES).map(lambda v: [v]),
    st.just(1),
).map(list)

HASH = st.integers(0, 2**32 - 1)
BODIES: dict[int, st.SearchStrategy[Any]] = {
    0: st.one_of(st.tuples(HASH, HASH).map(list), TABLES, VALUES),
    1: st.just(""),
    2: st.tuples(HASH, HASH).map(list),
    3: CHANGES,
    4: members(HASH),
    5: members(members(HASH)),
    6: members(members(members(HASH))),
    7: members(HASH),
}
ADDRESSES = st.sampled_from(["", "S", "someone"])
REQUEST_IDS = st.one_of(st.none(), ODD_TEXT.filter(lambda text: text != "\ufffc"))


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, str | None, int, Any]:
    """Address, request id, kind and body of a valid message."""
    kind = draw(st.sampled_from(sorted(BODIES)))
    return draw(ADDRESSES), draw(REQUEST_IDS), kind, draw(BODIES[kind])


@st.composite
def frames(draw: st.DrawFn) -> str:
    """A valid frame of the plain mode."""
    address, request_id, kind, body = draw(messages())
    return f"{address}\n{dump_json([request_id, kind, body]).decode()}"


@st.composite
def mutated(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with some places cut out, doubled or replaced."""
    text = draw(texts)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 4)))
        patch = draw(
            st.sampled_from(
                [
                    "",
                    "0",
                    "1e400",
                    "-",
                    '"',
                    "[",
                    "]",
                    "{",
                    "}",
                    ",",
                    "\n",
                    "null",
                    "NaN",
                    "\\ud800",
                    "\\",
                    "\ufeff",
                    "\ufffc",
                    "é",
                ]
            )
        )
        text = text[:start] + patch + text[end:]
    return text
