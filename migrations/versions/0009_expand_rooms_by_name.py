"""Deleted objects are not shown by the views; an object's id from its name, in SQL.

Revision ID: 0009
Revises: 0008

`object` has no index on names. `room_id` derives the id as the service does (app/core/ids.py), so
a query of one room begins at the primary key. It reads the cluster's key with its owner's rights,
so that a role which may read the views alone need not see it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# RFC 2104 over SHA-256, for keys of 32 bytes.
_HMAC = """
create function object_hmac(key bytea, message bytea) returns bytea
language plpgsql immutable strict as $body$
declare
    inside bytea := decode(repeat('36', 64), 'hex');
    outside bytea := decode(repeat('5c', 64), 'hex');
begin
    for at in 0..31 loop
        inside := set_byte(inside, at, get_byte(inside, at) # get_byte(key, at));
        outside := set_byte(outside, at, get_byte(outside, at) # get_byte(key, at));
    end loop;
    return sha256(outside || sha256(inside || message));
end
$body$
"""

_ROOM_ID = """
create function room_id(namespace text, room text) returns uuid
language sql stable strict security definer set search_path = {schema}, pg_temp as $body$
    select encode(substring(
        object_hmac(
            object_hmac(id_key, convert_to('namespace:' || namespace, 'UTF8')),
            convert_to('name:' || room, 'UTF8')
        ) from 1 for 16), 'hex')::uuid
    from cluster
$body$
"""

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

_NOT_DELETED = "  and o.deleted_at is null\n"

_ROWS = """
create or replace view tinybase_rows as
select o.namespace, o.name as room, o.object_id,
       entry.ids[1] as table_id, entry.ids[2] as row_id, entry.cells
""" + _ENTRIES.format(kind="r", after="s")

_VALUES = """
create or replace view tinybase_values as
select o.namespace, o.name as room, o.object_id,
       entry.ids[1] as value_id, entry.cells -> 'value' as value
""" + _ENTRIES.format(kind="v", after="w")


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    connection = op.get_bind()
    schema = connection.scalar(sa.text("select quote_ident(current_schema())"))
    for statement in (
        _HMAC,
        _ROOM_ID.format(schema=schema),
        _ROWS + _NOT_DELETED,
        _VALUES + _NOT_DELETED,
    ):
        connection.exec_driver_sql(statement)
    op.execute("UPDATE cluster SET schema_version = 9")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 8")
    for statement in (_VALUES, _ROWS):
        op.get_bind().exec_driver_sql(statement)
    op.execute("DROP FUNCTION room_id")
    op.execute("DROP FUNCTION object_hmac")
