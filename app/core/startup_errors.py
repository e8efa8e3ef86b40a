"""Errors that keep the service from starting, or that only a wrong configuration can bring."""

from .error_root import StateroomError


class StartupError(StateroomError):
    """The service cannot start."""

    code = "startup_failed"


class ConfigurationInvalid(StartupError):
    """A setting has a value that cannot be used."""

    code = "configuration_invalid"
    default_remedy = "Correct the named setting; docs/reference/settings.md lists them all."


class NamespaceUnknown(StartupError):
    """No namespace of that name is mounted."""

    code = "namespace_unknown"
    default_remedy = "Mount it with STATEROOM_NAMESPACES=name=module:Class."


class NamespaceClassInvalid(StartupError):
    """A namespace names a class that cannot be imported."""

    code = "namespace_class_invalid"
    default_remedy = "Check the import string module:Class and --app-dir."


class PortTaken(StartupError):
    """The address is already in use."""

    code = "port_taken"
    default_remedy = "Stop the other program or choose another --port."


class DatabaseUnreachable(StartupError):
    """The database does not answer."""

    code = "database_unreachable"
    default_remedy = "Check that Postgres runs and that the host and port of the URL are right."


class DatabaseRefused(StartupError):
    """The database refused the credentials or the database name."""

    code = "database_refused"
    default_remedy = "Check user, password and database name in the URL."


class MigrationMissing(StartupError):
    """The database schema is not the one this version needs."""

    code = "migration_missing"
    default_remedy = "Run `stateroom migrate` with the same database URL."


class DataDirectoryInUse(StartupError):
    """Another process uses this data directory."""

    code = "data_directory_in_use"
    default_remedy = "Stop the other process or choose another --data-dir."


class EmbeddedPostgresFailed(StartupError):
    """The embedded Postgres could not be started."""

    code = "embedded_postgres_failed"
    default_remedy = "See the Postgres log in the data directory, or give --database-url."


class WorkerSlotTaken(StartupError):
    """A live worker of another boot holds this node and slot."""

    code = "worker_slot_taken"
    default_remedy = "Give each machine its own data directory, or wait for the lease to run out."
