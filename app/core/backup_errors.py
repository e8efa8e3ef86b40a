"""What can be wrong with a backup, and with an object that one is to be put into."""

from .admin_errors import NotLikeThis, NotNow


class BackupUnreadable(NotLikeThis):
    """What was sent is not an export of Stateroom."""

    code = "backup_unreadable"
    default_remedy = (
        "Send the NDJSON of an export, unchanged; of a release as new as this or older."
    )


class BackupDamaged(NotLikeThis):
    """A part of the backup is damaged; nothing of the object that it belongs to was applied."""

    code = "backup_damaged"
    default_remedy = "Import another copy of the file; the objects that are whole are left alone."


class BackupTruncated(NotLikeThis):
    """The backup ends before its last line."""

    code = "backup_truncated"
    default_remedy = "Import the whole file; the objects that came whole are there already."


class ObjectNotEmpty(NotNow):
    """The object holds something else already."""

    code = "object_not_empty"
    default_remedy = "Choose another name, or import with mode=replace or mode=merge."


class ObjectIsLive(NotNow):
    """The object is in use, and the import is too large to be made in one event of it."""

    code = "object_is_live"
    default_remedy = "Evict the object and import it again; what is imported already is skipped."
    retryable = True


class IdForeign(NotNow):
    """The object has no name, and its id was made by another cluster."""

    code = "id_foreign"
    default_remedy = "Import with nameless=map: it gets an id of this cluster, told in the answer."
