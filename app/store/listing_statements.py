"""The statements by which lists follow the objects; see `listing_refresh`."""

from typing import Final

# $1 objects; $2 commit numbers, $3 rows, $4 bytes of those that were measured, else null; $5 part.
# `before` is the entry as it is now, locked in the order of ids and before anything is inserted, so
# that workers wait for one another but never in a circle. What is deleted is not listed, but keeps
# its tags until nothing is left of it.
REFRESH: Final = """
with want as materialized (
    select * from unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[])
        as w (object_id, sized_seq, row_count, size_bytes)
), fresh as materialized (
    select w.object_id, o.object_id is not null as there, o.namespace, coalesce(o.name, '') as name,
           o.worker_id, o.epoch, o.commit_seq,
           coalesce((extract(epoch from o.committed_at) * 1000)::int8, 0) as committed_ms,
           w.sized_seq, w.row_count, w.size_bytes
    from want w left join object o on o.object_id = w.object_id and o.deleted_at is null
), before as materialized (
    select f.*, l.size_bytes as old_size, l.row_count as old_rows
    from fresh f join object_listing l on l.object_id = f.object_id
    order by l.object_id
    for update of l
), updated as (
    update object_listing l
    set name = b.name, worker_id = b.worker_id, epoch = b.epoch, commit_seq = b.commit_seq,
        committed_ms = b.committed_ms,
        size_bytes = coalesce(b.size_bytes, l.size_bytes),
        row_count = coalesce(b.row_count, l.row_count),
        sized_seq = coalesce(b.sized_seq, l.sized_seq),
        sized_at = case when b.sized_seq is null then l.sized_at else now() end
    from before b
    where l.object_id = b.object_id and b.there
      and (b.epoch, b.commit_seq) >= (l.epoch, l.commit_seq)
    returning l.namespace, 0 as objects, l.size_bytes - b.old_size as size_bytes,
              l.row_count - b.old_rows as row_count
), inserted as (
    insert into object_listing (
        object_id, namespace, name, worker_id, epoch, commit_seq, committed_ms,
        size_bytes, row_count, sized_seq, sized_at
    )
    select f.object_id, f.namespace, f.name, f.worker_id, f.epoch, f.commit_seq, f.committed_ms,
           coalesce(f.size_bytes, 0), coalesce(f.row_count, 0), f.sized_seq,
           case when f.sized_seq is not null then now() end
    from fresh f
    where f.there and not exists (select from object_listing l where l.object_id = f.object_id)
    order by f.object_id
    on conflict (object_id) do nothing
    returning namespace, 1 as objects, size_bytes, row_count
), removed as (
    delete from object_listing l using before b
    where l.object_id = b.object_id and not b.there
    returning l.namespace, -1 as objects, -b.old_size as size_bytes, -b.old_rows as row_count
), untagged as (
    delete from object_tag t using want w
    where t.object_id = w.object_id
      and not exists (select from object o where o.object_id = w.object_id)
), changed as (
    select * from updated union all select * from inserted union all select * from removed
)
insert into namespace_total (namespace, part, objects, size_bytes, row_count)
select namespace, $5, sum(objects), sum(size_bytes), sum(row_count)
from changed group by namespace order by namespace
on conflict (namespace, part) do update set
    objects = namespace_total.objects + excluded.objects,
    size_bytes = namespace_total.size_bytes + excluded.size_bytes,
    row_count = namespace_total.row_count + excluded.row_count
"""

_WORKERS: Final = "(select count(*) from worker where state <> 'dead') as workers"

# $1 first block, $2 the block after the last, $3 objects. Always one row at least, for the
# figures' sake. A size that is put off is no fault. The limit of one, and the question in place of
# `not exists` below, make it one look by the primary key for each object, and no join of tables.
MISSED: Final = f"""
select m.object_id, {_WORKERS},
       pg_relation_size('object') / current_setting('block_size')::int8 as blocks
from (values (1)) as one (n) left join (
    select o.object_id from object o left join lateral (
        select e.* from object_listing e where e.object_id = o.object_id limit 1
    ) as l on true
    where o.ctid >= $1::tid and o.ctid < $2::tid and case
        when o.deleted_at is not null then l.object_id is not null
        when l.object_id is null then true
        when l.sized_at > now() - make_interval(
            secs => least(60 + l.row_count / 100.0, 3600)
        ) then (l.epoch, l.worker_id) is distinct from (o.epoch, o.worker_id)
        else (l.epoch, l.worker_id, l.commit_seq, l.sized_seq)
            is distinct from (o.epoch, o.worker_id, o.commit_seq, o.commit_seq)
    end
    limit $3
) as m on true
"""  # noqa: S608 - no value in it

# The same arguments, of the lists.
STRAY: Final = f"""
select s.object_id, {_WORKERS},
       pg_relation_size('object_listing') / current_setting('block_size')::int8 as blocks
from (values (1)) as one (n) left join (
    select l.object_id from object_listing l
    where l.ctid >= $1::tid and l.ctid < $2::tid and (
        select true from object o where o.object_id = l.object_id and o.deleted_at is null
    ) is null
    limit $3
) as s on true
"""  # noqa: S608 - no value in it
