r"""Views that show the TinyBase content of all rooms as rows.

Revision ID: 0004
Revises: 0003

`tinybase_rows` and `tinybase_values` decode what lies in `object_row` (app/tinybase/layout.py tells
how), so they are always as current as the last commit and store nothing. Nothing that anybody
stored can make a query of them fail: an entry that is not of that layout is left out.

The function names nothing outside of pg_catalog, and every backslash in it stands in an E''
string: neither the search path nor the settings of whoever asks change what it means.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# JSON text as jsonb takes it. What SQL text cannot hold, NUL and halves of surrogate pairs, is
# shown as U+2400. Doubled backslashes are rewritten first, so that each one left is an escape's.
_SAFE = r"""
case when position(E'\\u' in source) = 0 then source else
    regexp_replace(
        regexp_replace(
            replace(
                replace(source, E'\\\\', E'\\u005c'),
                E'\\u0000', E'\\u2400'
            ),
            E'\\\\ud[89ab][0-9a-f]{2}(?!\\\\ud[c-f][0-9a-f]{2})', E'\\\\u2400', 'gi'
        ),
        E'(?<!\\\\ud[89ab][0-9a-f]{2})\\\\ud[c-f][0-9a-f]{2}', E'\\\\u2400', 'gi'
    )
end
"""

# `rest` is what lies under the further keys of a split payload, one after another. A value is
# shown as a row with the one cell "value". A list or an object is stored as U+FFFD and its text,
# but a text may begin with U+FFFD by itself: what is no JSON after it stays as it is.
_ENTRY = rf"""
create function tinybase_entry(
    key bytea, value bytea, rest bytea, out ids text[], out cells jsonb
)
language plpgsql immutable as $body$
declare
    payload bytea := substring(value from 2);
    source text;
    leaves jsonb;
    cell record;
begin
    if get_byte(value, 0) <> 0 then
        return;
    end if;
    if get_byte(payload, 0) = ascii('+') then
        payload := substring(payload from position(E'\\x0a'::bytea in payload) + 1) || rest;
    end if;
    if get_byte(key, 2) = ascii('"') then
        source := '[' || convert_from(substring(key from 3), 'UTF8') || ']';
    else
        source := split_part(convert_from(substring(payload from 2), 'UTF8'), E'\n', 1);
        payload := substring(payload from position(E'\\x0a'::bytea in payload) + 1);
    end if;
    ids := array(select jsonb_array_elements_text(({_SAFE})::jsonb));
    source := convert_from(payload, 'UTF8');
    leaves := ({_SAFE})::jsonb;
    if get_byte(key, 1) = ascii('v') then
        leaves := jsonb_build_object('value', leaves);
    else
        leaves := leaves -> 0;
    end if;
    select jsonb_object_agg(each.key, each.value -> 0) into cells
    from jsonb_each(leaves) each
    where jsonb_typeof(each.value) = 'array' and each.value -> 0 <> to_jsonb(chr(65532));
    if position(chr(65533) in source) > 0 then
        for cell in
            select each.key, each.value #>> '{{}}' as stored from jsonb_each(cells) each
            where jsonb_typeof(each.value) = 'string'
              and starts_with(each.value #>> '{{}}', chr(65533))
        loop
            begin
                source := substr(cell.stored, 2);
                cells := jsonb_set(cells, array[cell.key], ({_SAFE})::jsonb);
            exception when data_exception or program_limit_exceeded then
                null;
            end;
        end loop;
    end if;
exception when data_exception or program_limit_exceeded then
    ids := null;
    cells := null;
end
$body$
"""  # noqa: S608 - made of constants alone

# An entry's own key ends with a quotation mark, or is a mark, a letter and a digest; the further
# keys of a split payload are that and "#" with six digits.
_ENTRIES = """
from object o
join object_row head on head.object_id = o.object_id
cross join lateral tinybase_entry(
    head.key,
    head.value,
    case when substring(head.value from 2 for 1) = '+'::bytea then (
        select string_agg(substring(more.value from 2), ''::bytea order by more.key)
        from object_row more
        where more.object_id = head.object_id
          and more.key > head.key || '#'::bytea and more.key < head.key || '$'::bytea
    ) end
) entry
where head.key >= '~{kind}'::bytea and head.key < '~{after}'::bytea
  and (get_byte(head.key, length(head.key) - 1) = ascii('"') or length(head.key) = 66)
  and entry.cells is not null
"""

_ROWS = """
create view tinybase_rows as
select o.namespace, o.name as room, o.object_id,
       entry.ids[1] as table_id, entry.ids[2] as row_id, entry.cells
""" + _ENTRIES.format(kind="r", after="s")

_VALUES = """
create view tinybase_values as
select o.namespace, o.name as room, o.object_id,
       entry.ids[1] as value_id, entry.cells -> 'value' as value
""" + _ENTRIES.format(kind="v", after="w")


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    for statement in (_ENTRY, _ROWS, _VALUES):
        op.get_bind().exec_driver_sql(statement)
    op.execute("UPDATE cluster SET schema_version = 4")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 3")
    op.execute("DROP VIEW tinybase_values")
    op.execute("DROP VIEW tinybase_rows")
    op.execute("DROP FUNCTION tinybase_entry")
