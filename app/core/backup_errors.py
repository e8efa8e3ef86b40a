"""What can be wrong with a backup, and with an object that one is to be put into."""

from .error_root import StateroomError


class BackupUnreadable(StateroomError):
    """What was sent is not an export of Stateroom."""

    code = "backup_unreadable"
    default_remedy = (
        "Send the NDJSON of an export, unchanged; of a release as new as this or older."
    )


class BackupDamaged(StateroomError):
    """A part of the backup is damaged; nothing of the object that it belongs to was applied."""

    code = "backup_damaged"
    default_remedy = "Import another copy of the file; the objects that are whole are left alone."


class BackupTruncated(StateroomError):
    """The backup ends before its last line."""

    code = "backup_truncated"
    default_remedy = "Import the whole file; the objects that came whole are there already."


class ObjectNotEmpty(StateroomError):
    """The object holds something else already."""

    code = "object_not_empty"
    default_remedy = "Choose another name, or import with mode=replace or mode=merge."


class ObjectIsLive(StateroomError):
    """The object is in use, and the import is too large to be made in one event of it."""

    code = "object_is_live"
    default_remedy = "Evict the object and import it again; what is imported already is skipped."
    retryable = True


class IdForeign(StateroomError):
    """The object has no name, and its id was made by another cluster."""

    code = "id_foreign"
    default_remedy = "Import with nameless=map: it gets an id of this cluster, told in the answer."
