"""How Alembic reaches the database.

Stateroom itself passes `metadata` and `connect` (a coroutine function that opens a driver
connection) in `config.attributes`, for this file cannot import the application: it lies at
another place in the wheel. The bare `alembic` command has neither and uses the URL of
alembic.ini; it can do everything but autogenerate and check.

All migrations of one run share one transaction, under a transaction-level advisory lock, so two
starting servers cannot migrate at once and nothing half done stays behind.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_LOCK = 0x5354_4154_4552_4F4F  # "STATEROO"
_WAIT_FOR_OTHER_RUN = "60s"


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=context.config.attributes.get("metadata"),
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_FOR_OTHER_RUN}'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        context.run_migrations()


async def _run_online() -> None:
    connect = context.config.attributes.get("connect")
    if connect is not None:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            poolclass=NullPool,
            # Unnamed statements, so that it also works behind a pooler in transaction mode.
            connect_args={
                "async_creator_fn": connect,
                "prepared_statement_cache_size": 0,
                "prepared_statement_name_func": str,
            },
        )
    else:
        url = context.config.get_main_option("sqlalchemy.url") or ""
        engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Offline mode is not supported: the first migration makes a random key.")
asyncio.run(_run_online())
