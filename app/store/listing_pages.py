"""The statements that read a page of a list, made for each kind of question.

Two ways, both bounded, chosen by `listing`:

* **Walk**: read `object_listing` in the wanted order from where the page before ended, at most
  `WINDOW` entries (an index has them in that order), and keep what the other conditions fit.
* **Narrow**: when one condition fits few objects (at most `FEW`; `probe_statement` counts so far),
  read those by its index, keep what all the others fit, and order that.

Only conditions that are asked for stand in a statement, and every bound inside is a number and no
parameter: a plan that is made for all parameters would guess it. Lists over several namespaces
are read side by side, one index range each, and merged.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from ..core.listing import ListingFilter, ListingPosition, SortBy

FEW: Final = 10_000
"""So many objects are ordered in one go."""
WINDOW: Final = 5_000
"""So many entries of an index are looked at for one page."""

COLUMNS: Final[dict[SortBy, str]] = {
    SortBy.NAME: "name",
    SortBy.SIZE: "size_bytes",
    SortBy.LAST_COMMIT: "committed_ms",
}

# A lease that ran out cannot be renewed, whatever the row's state says.
LIVE_WORKERS: Final = """
    select worker_id from worker where state <> 'dead' and lease_expires_at > clock_timestamp()
"""

_MS: Final = "(extract(epoch from {}) * 1000)::int8"

# What is told of each object: of now, but for its size.
TOLD: Final = f"""
    o.object_id, o.namespace, o.name, o.worker_id, o.epoch, o.commit_seq,
    {_MS.format("o.created_at")} as created_ms, {_MS.format("o.committed_at")} as committed_ms,
    {_MS.format("o.frozen_at")} as frozen_ms,
    o.worker_id in (select worker_id from live) as live,
    l.size_bytes, l.row_count, l.sized_seq, {_MS.format("l.sized_at")} as sized_ms,
    array(select t.tag from object_tag t where t.object_id = o.object_id order by t.tag) as tags
"""  # noqa: S608 - no value in it


class Parameters:
    """The values of a statement, in the order in which they were first named."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any, kind: str) -> str:
        """Add a value; returns what stands for it in the statement."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"


Condition = Callable[[Parameters], str]
"""Makes one condition on `l`, a row of `object_listing`."""


def conditions_of(where: ListingFilter) -> dict[str, list[Condition]]:
    """The conditions of a filter, by the column whose index could answer them."""
    found: dict[str, list[Condition]] = {}

    def add(column: str, template: str, value: Any, kind: str) -> None:
        found.setdefault(column, []).append(
            lambda parameters: template.format(parameters.add(value, kind))
        )

    if where.prefix:
        add("name", "l.name >= {}", where.prefix, "text")
        after = after_prefix(where.prefix)
        if after is not None:
            add("name", "l.name < {}", after, "text")
    if where.min_bytes is not None:
        add("size_bytes", "l.size_bytes >= {}", where.min_bytes, "int8")
    if where.max_bytes is not None:
        add("size_bytes", "l.size_bytes <= {}", where.max_bytes, "int8")
    if where.committed_after_ms is not None:
        add("committed_ms", "l.committed_ms >= {}", where.committed_after_ms, "int8")
    if where.committed_before_ms is not None:
        # Never committed is no time of a commit.
        add("committed_ms", "l.committed_ms < {}", where.committed_before_ms, "int8")
        found["committed_ms"].append(lambda _parameters: "l.committed_ms > 0")
    if where.owner is not None:
        add("worker_id", "l.worker_id = {}", where.owner, "uuid")
    if where.live is True:
        found.setdefault("worker_id", []).append(
            lambda _parameters: "l.worker_id = any(array(select worker_id from live))"
        )
    if where.live is False:
        # No index finds what nobody holds; it is most of what there is.
        found["not_live"] = [
            lambda _parameters: (
                "(l.worker_id is null or l.worker_id <> all(array(select worker_id from live)))"
            )
        ]
    if where.tag is not None:
        add("tag", _TAGGED, where.tag, "text")
    return found


# One question for each object, by the primary key: for `exists` all of the tag would be read.
_TAGGED: Final = """coalesce((
    select true from object_tag t where t.object_id = l.object_id and t.tag = {}
), false)"""


def after_prefix(prefix: str) -> str | None:
    """The first text, in the order of bytes, behind all that begin with `prefix`; None: none is."""
    rest = prefix
    while rest:
        point = ord(rest[-1]) + 1
        if point <= 0x10FFFF:  # noqa: PLR2004 - the last code point there is
            # UTF-8 has no code for surrogates.
            following = 0xE000 if 0xD800 <= point <= 0xDFFF else point  # noqa: PLR2004 - the same
            return rest[:-1] + chr(following)
        rest = rest[:-1]
    return None


def probe_statement(
    where: ListingFilter, namespaces: Sequence[str], columns: Sequence[str]
) -> tuple[str, list[Any]]:
    """How many objects each of these columns' conditions fits, counted up to one more than FEW."""
    parameters = Parameters()
    names = parameters.add(list(namespaces), "text[]")
    by_column = conditions_of(where)
    counts = ", ".join(
        f"(select count(*) from ({_few(column, by_column[column], where, parameters, names)}"  # noqa: S608 - names of columns, no value
        f") as c) as {column}"
        for column in columns
    )
    return f"with live as materialized ({LIVE_WORKERS}) select {counts}", parameters.values


def _few(
    column: str,
    conditions: Sequence[Condition],
    where: ListingFilter,
    parameters: Parameters,
    names: str,
) -> str:
    """What the conditions of one column fit, by its index, one more than FEW at most.

    Ids for tags, entries of `object_listing` else. The order is the index's own: with it, a plan
    that reads everything is never the cheaper one.
    """
    source, holders = "object_listing", ""
    order = f"l.{column}, l.object_id"
    if column == "tag":
        source, order = "object_tag", "l.tag, l.namespace, l.object_id"
        fits = f"l.tag = {parameters.add(where.tag, 'text')}"
    elif column == "worker_id":
        holders, order = f"cross join ({_holders(where, parameters)}) as h", "l.object_id"
        fits = "l.worker_id = h.worker_id"
    else:
        fits = " and ".join(condition(parameters) for condition in conditions)
    return f"""
        select c.* from unnest({names}) as n (namespace) {holders} cross join lateral (
            select l.* from {source} l where l.namespace = n.namespace and {fits}
            order by {order} limit {FEW + 1}
        ) as c limit {FEW + 1}"""  # noqa: S608 - no value in it


def _holders(where: ListingFilter, parameters: Parameters) -> str:
    """The workers whose objects are wanted: each has a range of the index."""
    if where.owner is None:
        return "select worker_id from live"
    owner = f"select {parameters.add(where.owner, 'uuid')} as worker_id"
    return f"{owner} intersect select worker_id from live" if where.live else owner  # noqa: S608 - no value in it


def _after(sort: SortBy, position: ListingPosition, parameters: Parameters, sign: str) -> str:
    kind = "text" if sort is SortBy.NAME else "int8"
    value, uuid = parameters.add(position.value, kind), parameters.add(position.uuid, "uuid")
    return f"(l.{COLUMNS[sort]}, l.object_id) {sign} ({value}, {uuid})"


class PageStatement:
    """Makes the statement of one page.

    Args:
        where: The conditions.
        namespaces: Of which namespaces; those of `where`, or all that there are.
        sort: The order.
        descending: Whether it is the other way round.
        limit: The most objects wanted; one more is returned if there is one.
        after: Where the page before ended.
    """

    def __init__(
        self,
        where: ListingFilter,
        namespaces: Sequence[str],
        *,
        sort: SortBy,
        descending: bool,
        limit: int,
        after: ListingPosition | None,
    ) -> None:
        self._where = where
        self._namespaces = list(namespaces)
        self._column = COLUMNS[sort]
        self._sort = sort
        self._limit = limit
        self._after = after
        self._conditions = conditions_of(where)
        self._sign = "<" if descending else ">"
        forwards = f"l.{self._column} asc, l.object_id asc"
        backwards = f"l.{self._column} desc, l.object_id desc"
        self._order, self._backwards = (
            (backwards, forwards) if descending else (forwards, backwards)
        )

    @property
    def narrowing(self) -> list[str]:
        """The columns with conditions that the order's own index does not answer."""
        return [column for column in self._conditions if column not in {self._column, "not_live"}]

    @property
    def _others(self) -> list[Condition]:
        """Conditions that a walk has to test on each entry."""
        return [
            condition
            for column, conditions in self._conditions.items()
            if column != self._column
            for condition in conditions
        ]

    @property
    def window(self) -> int:
        """How many entries a walk looks at."""
        most = max(self._limit + 1, WINDOW // max(1, len(self._namespaces)))
        return most if self._others else self._limit + 1

    def walk(self) -> tuple[str, list[Any]]:
        """Read on in order; the last entry that was looked at comes along with every row."""
        parameters = Parameters()
        names = parameters.add(self._namespaces, "text[]")
        bounds = [condition(parameters) for condition in self._conditions.get(self._column, ())]
        if self._after is not None:
            bounds.append(_after(self._sort, self._after, parameters, self._sign))
        range_ = "".join(f" and {bound}" for bound in bounds)
        candidates = f"""
            select c.* from unnest({names}) as n (namespace) cross join lateral (
                select l.* from object_listing l where l.namespace = n.namespace{range_}
                order by {self._order} limit {self.window}
            ) as c
        """  # noqa: S608 - no value in it
        ordered = f"select l.* from ({candidates}) as l order by {self._order} limit {self.window}"  # noqa: S608 - no value in it
        fits = " and ".join(condition(parameters) for condition in self._others)
        return self._page(ordered, fits or "true", parameters), parameters.values

    def narrow(self, column: str) -> tuple[str, list[Any]]:
        """Read what the conditions of one column fit, all of it, and order that."""
        parameters = Parameters()
        names = parameters.add(self._namespaces, "text[]")
        few = _few(column, self._conditions[column], self._where, parameters, names)
        candidates = few
        if column == "tag":
            # The limit makes it one look by the primary key for each id.
            candidates = f"""
                select l.* from ({few}) as f cross join lateral (
                    select e.* from object_listing e where e.object_id = f.object_id limit 1
                ) as l"""  # noqa: S608 - no value in it
        tests = [
            condition(parameters)
            for other, conditions in self._conditions.items()
            if other != column
            for condition in conditions
        ]
        if self._after is not None:
            tests.append(_after(self._sort, self._after, parameters, self._sign))
        return self._page(candidates, " and ".join(tests) or "true", parameters), parameters.values

    def _page(self, candidates: str, fits: str, parameters: Parameters) -> str:
        """The objects among the candidates, with where the candidates end.

        Who holds an object is tested once more on the object itself, for the list may be old.
        """
        of_now = [condition.replace("l.", "o.") for condition in self._holders(parameters)]
        told = " and ".join(["o.object_id = l.object_id", "o.deleted_at is null", *of_now])
        return f"""
with live as materialized ({LIVE_WORKERS}
), candidate as materialized ({candidates}
), matched as materialized (
    select l.*, l.{self._column} as sorted from candidate l where {fits}
    order by {self._order} limit {self._limit + 1}
), edge as (
    select l.{self._column} as edge, l.object_id as edge_id from candidate l
    order by {self._backwards} limit 1
)
select (select count(*) from candidate) as seen, edge.edge, edge.edge_id,
       l.sorted, l.object_id as matched_id, {TOLD}
from (values (1)) as one (n) left join edge on true left join matched l on true
left join object o on {told}
order by {self._order}
"""  # noqa: S608 - no value in it

    def _holders(self, parameters: Parameters) -> list[str]:
        kept = ("worker_id", "not_live")
        return [
            condition(parameters)
            for column in kept
            for condition in self._conditions.get(column, ())
        ]
