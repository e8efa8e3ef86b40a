"""Postgres: the only importer of sqlalchemy, asyncpg and alembic; fulfils the ports of core."""
