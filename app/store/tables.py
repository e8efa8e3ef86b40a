"""The schema, as SQLAlchemy knows it; `migrations/` makes it, a test proves the two equal.

* `cluster` has exactly one row, made by the first migration: the key that ids are derived from.
* `worker`: one row for each life of a worker process, with its lease.
* `object`: who owns an object, under which epoch, and how many commits it has had.
* `object_deletion`: the deleted objects, and when what they stored is removed for good.
* `namespace_setting`: what an operator has set for a namespace while it runs.
* `object_row`: what objects store. Keys are bytes, ordered as bytes.
* `object_history`: what commits replaced, for a while (`core.history`).
* `history_account`: how much of that there is of each object, as far as it was counted.
* `object_alarm`: when objects want to be woken. Only the owner of an object changes its alarms;
  a claim marks one (who rings it now), no more.
* `object_listing`, `namespace_total`: what lists of objects are read from. Both follow the objects
  in the background (`listing_refresh`); losing them loses nothing.
* `object_usage`: what objects cost, by the day. Nobody needs it to work.
* `object_tag`: what people call objects, beside their names.
* `import_row`: rows that are on their way into an object and too many for one commit.

Object tables lead with `object_id`, which is how a distributed Postgres would shard them.
"""

from typing import Final

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import BYTEA

SCHEMA_VERSION: Final = 13
"""What `cluster.schema_version` must at least be for this release to start."""

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)

# CACHE 1 (the default), or epochs would not ascend in the order of claims.
object_epoch = Sequence("object_epoch", metadata=metadata, data_type=BigInteger)

cluster = Table(
    "cluster",
    metadata,
    Column("only_row", Boolean, primary_key=True, server_default=text("true")),
    Column("schema_version", Integer, nullable=False),
    Column("id_key", LargeBinary, nullable=False),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    CheckConstraint("only_row", name="only_row"),
    CheckConstraint("octet_length(id_key) = 32", name="id_key"),
)

worker = Table(
    "worker",
    metadata,
    Column("worker_id", Uuid, primary_key=True),
    Column("node", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("lease_expires_at", TIMESTAMP(timezone=True), nullable=False),
    Column("started_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    Column("version", Text, nullable=False),
    CheckConstraint("state in ('live', 'draining', 'dead')", name="state"),
    # Two registrations at one place at the same instant: the index lets only one through.
    Index(
        "worker_place_key", "node", "slot", unique=True, postgresql_where=text("state <> 'dead'")
    ),
)

# Found by the public part, judged by the hash of the secret.
admin_token = Table(
    "admin_token",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    Column("created_by", Text, nullable=False),
    Column("expires_at", TIMESTAMP(timezone=True)),
    # To the hour.
    Column("last_used_at", TIMESTAMP(timezone=True)),
    Column("revoked_at", TIMESTAMP(timezone=True)),
    CheckConstraint("role in ('viewer', 'operator', 'admin')", name="role"),
    Index("admin_token_name_key", "name", unique=True, postgresql_where=text("revoked_at is null")),
)

# Ids ascend with time: the newest records are the end of the one index, the oldest its beginning.
admin_audit = Table(
    "admin_audit",
    metadata,
    Column("audit_id", Uuid, primary_key=True),
    Column("at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    Column("caller", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("namespace", Text),
    Column("object", Text),
    Column("path", Text, nullable=False),
    # Null: under way, or cut short.
    Column("status", Integer),
    Column("code", Text, nullable=False),
    postgresql_with={"fillfactor": 80},
)

# What Idempotency-Keys were used for, for a day.
admin_request = Table(
    "admin_request",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("request_id", Uuid, nullable=False),
    Column("started_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    # Null: under way, or cut short.
    Column("status", Integer),
    Column("answer", LargeBinary),
    Index("admin_request_started_at_idx", "started_at"),
)

object_ = Table(
    "object",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("name", Text),
    Column("worker_id", Uuid),
    Column("epoch", BigInteger, nullable=False),
    Column("commit_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    Column("committed_at", TIMESTAMP(timezone=True)),
    # Set: it takes no changes; it is gone for everybody but `object_deletion`.
    Column("frozen_at", TIMESTAMP(timezone=True)),
    Column("deleted_at", TIMESTAMP(timezone=True)),
    # Of the history: the last commit that kept some; the earliest state that can be told, and
    # since when it was so (null: since the beginning). `history_bytes` was of former releases.
    Column("history_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("history_from", BigInteger, nullable=False, server_default=text("0")),
    Column("history_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("history_since", TIMESTAMP(timezone=True)),
    # Every commit updates one row here and no indexed column of it: half the page stays free,
    # so the new version fits beside the old one and no index is touched.
    postgresql_with={"fillfactor": 50},
)

object_deletion = Table(
    "object_deletion",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    Column("purge_at", TIMESTAMP(timezone=True), nullable=False),
    # Set for ever by whoever purges: from then on nobody can undelete.
    Column("purging", Boolean, nullable=False, server_default=text("false")),
    # A table of its own, so that what is due is found by an index that no commit ever touches.
    Index("object_deletion_purge_at_idx", "purge_at"),
)

namespace_setting = Table(
    "namespace_setting",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("log_level", Text),
    Column("changed_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
)

object_row = Table(
    "object_row",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    # A key is never compressed or moved out of line: it stands in the primary key.
    Column("key", BYTEA, primary_key=True),
    # STORAGE EXTERNAL (set by the migration; SQLAlchemy has no word for it): see 0001.
    Column("value", BYTEA, nullable=False),
    postgresql_with={"fillfactor": 70},
)

object_history = Table(
    "object_history",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    # The commit that replaced the value, and when it was made.
    Column("commit_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("key", BYTEA, primary_key=True),
    # Null: there was no such row. STORAGE EXTERNAL, as above.
    Column("value", BYTEA),
    Column("made_at", TIMESTAMP(timezone=True), nullable=False),
    # Of former releases: `object.history_bytes` after this commit.
    Column("total_bytes", BigInteger, nullable=False),
)

# Written by those who prune, never by a commit.
history_account = Table(
    "history_account",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    # Up to this commit; what is kept of later ones is not in the sum yet, and not removed.
    Column("counted_seq", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)

_USAGE: Final = (
    "cpu_us",
    "wall_us",
    "events",
    "messages_in",
    "messages_out",
    "requests",
    "bytes_in",
    "bytes_out",
    "commits",
    "rows_written",
    "bytes_written",
    "wakes",
    "alarms",
)

# Added to in the background by whoever holds the object.
object_usage = Table(
    "object_usage",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    # Here too: an object that stores nothing has no row in `object` once it was given up.
    Column("namespace", Text, nullable=False),
    Column("name", Text),
    *(Column(figure, BigInteger, nullable=False) for figure in _USAGE),
    *(
        Index(f"object_usage_{figure}_idx", "day", figure, "object_id")
        for figure in ("cpu_us", "events", "bytes_in", "bytes_out", "commits")
    ),
)

object_alarm = Table(
    "object_alarm",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True, server_default=text("''")),
    Column("due_at", TIMESTAMP(timezone=True), nullable=False),
    Column("payload", LargeBinary),
    Column("every_ms", BigInteger),
    # Runs that the author's code failed, and runs that faults of ours ended.
    Column("counted_attempts", Integer, nullable=False, server_default=text("0")),
    Column("uncounted_attempts", Integer, nullable=False, server_default=text("0")),
    # Null: given up.
    Column("next_attempt_at", TIMESTAMP(timezone=True)),
    Column("claimed_by", Uuid),
    Column("claim_until", TIMESTAMP(timezone=True)),
    # Of the last failed run; the text is an author's and may hold anything.
    Column("error_class", Text),
    Column("error_text", Text),
    Column("failed_at", TIMESTAMP(timezone=True)),
    # The one index that a claim asks. It names no column that a claim changes, so claims are
    # updates in place like commits.
    Index(
        "object_alarm_next_attempt_at_idx",
        "next_attempt_at",
        postgresql_where=text("next_attempt_at is not null"),
    ),
    # For the list of those that were given up.
    Index(
        "object_alarm_given_up_idx",
        "due_at",
        "object_id",
        postgresql_where=text("next_attempt_at is null"),
    ),
    postgresql_with={"fillfactor": 50},
)

# Text in the order of its bytes, in which a prefix is a range.
_BYTEWISE: Final = Text(collation="C")

object_listing = Table(
    "object_listing",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    Column("namespace", _BYTEWISE, nullable=False),
    # Empty for objects without a name.
    Column("name", _BYTEWISE, nullable=False),
    # These four as `object` had them; 0 stands for never committed.
    Column("worker_id", Uuid),
    Column("epoch", BigInteger, nullable=False),
    Column("commit_seq", BigInteger, nullable=False),
    Column("committed_ms", BigInteger, nullable=False, server_default=text("0")),
    # As of `sized_at`, when the object had `sized_seq` commits.
    Column("size_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("row_count", BigInteger, nullable=False, server_default=text("0")),
    Column("sized_seq", BigInteger),
    Column("sized_at", TIMESTAMP(timezone=True)),
    # One for each order of a list, and one for each condition that may fit few objects.
    Index("object_listing_name_idx", "namespace", "name", "object_id"),
    Index("object_listing_size_bytes_idx", "namespace", "size_bytes", "object_id"),
    Index("object_listing_committed_ms_idx", "namespace", "committed_ms", "object_id"),
    Index(
        "object_listing_worker_id_idx",
        "worker_id",
        "namespace",
        "object_id",
        postgresql_where=text("worker_id is not null"),
    ),
)

object_tag = Table(
    "object_tag",
    metadata,
    Column("object_id", Uuid, primary_key=True),
    Column("tag", _BYTEWISE, primary_key=True),
    Column("namespace", _BYTEWISE, nullable=False),
    Index("object_tag_tag_idx", "tag", "namespace", "object_id"),
)

# The sums of `object_listing`, in several parts so that workers need not wait for one another.
namespace_total = Table(
    "namespace_total",
    metadata,
    Column("namespace", _BYTEWISE, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("objects", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("row_count", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 50},
)

import_row = Table(
    "import_row",
    metadata,
    Column("staging_id", Uuid, primary_key=True),
    Column("key", BYTEA, primary_key=True),
    # STORAGE EXTERNAL, like `object_row`.
    Column("value", BYTEA, nullable=False),
    Column("staged_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    # What is lost with a crash of the database is sent again.
    prefixes=["UNLOGGED"],
)
